//! Texts to parts that a model can read whole.

use crate::model::document::Format;

/// How long parts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunking {
    pub max_tokens: usize,
    /// Tokens that a part repeats of the one before.
    pub overlap_tokens: usize,
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Headings above it, outermost first.
    pub headings: Vec<String>,
    pub text: String,
}

/// Cuts a text into parts at blank lines, as long as fits.
pub fn split(
    text: &str,
    _format: Format,
    chunking: Chunking,
    tokens: &dyn Fn(&str) -> usize,
) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for paragraph in text.split("\n\n").map(str::trim).filter(|text| !text.is_empty()) {
        if let Some(last) = pieces.last_mut() {
            let joined = format!("{}\n\n{paragraph}", last.text);
            if tokens(&joined) <= chunking.max_tokens {
                last.text = joined;
                continue;
            }
        }
        pieces.push(Piece { headings: Vec::new(), text: paragraph.to_owned() });
    }
    pieces
}
