//! Cuts the text of a document into the pieces that are embedded and found.
//!
//! Everything here takes time in proportion to the text: parsers that can be led to look at a text again
//! and again see at most one segment of it at a time, and nothing recurses deeper than headings go.

mod clean;
mod counts;
mod hidden;
mod html;
mod markdown;
mod outline;
mod sections;
mod segments;
mod summary;
#[cfg(test)]
mod tests;

use crate::model::document::Format;

use outline::Outline;
use sections::Sections;
use segments::{Grammar, Segments};

pub use summary::{summary, title_of};

/// How long pieces are, in tokens of the model that embeds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunking {
    /// What a piece may have at most; 0 counts as 1.
    pub max_tokens: usize,
    /// What a piece repeats of the one before it, at most half of `max_tokens`.
    pub overlap_tokens: usize,
}

/// A part of a document that is embedded and found on its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The headings that it stands under, outermost first; none longer than 200 characters.
    pub headings: Vec<String>,
    /// Without the headings above it, unless a heading was too long to be given whole.
    pub text: String,
}

/// Cuts a text into pieces; `tokens` counts those of a text, and is asked near-linearly often.
///
/// Sections go together where they fit, but never two of the outermost, unless there are more than a
/// thousand of them. No piece is blank, and none has more than `max_tokens`, except for a single character
/// that has more. HTML is read as the text that it shows, Markdown without its comments.
pub fn split(
    text: &str,
    format: Format,
    chunking: Chunking,
    tokens: &dyn Fn(&str) -> usize,
) -> Vec<Piece> {
    let outline = outline(text, format);
    let grammar = match format {
        Format::Plain => Grammar::Plain,
        Format::Markdown | Format::Html => Grammar::Markdown,
    };
    let segments = Segments::new(&outline, grammar, chunking, tokens);
    Sections::new(&outline, segments).pieces()
}

fn outline(text: &str, format: Format) -> Outline {
    let text = clean::clean(text);
    match format {
        Format::Plain => Outline::plain(text),
        Format::Markdown => markdown::outline(text),
        Format::Html => html::outline(&text).0,
    }
}
