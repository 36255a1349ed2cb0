//! The text of a document with its headings and blocks, whatever it was written in.

use super::clean::{cut, one_line};

/// Characters of a heading.
pub(super) const HEADING_CHARS: usize = 200;

/// A text and where its parts begin; all places are in bytes of `text`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outline {
    pub(super) text: String,
    pub(super) headings: Vec<Heading>,
    /// Where paragraphs, code blocks and the like begin, in ascending order.
    pub(super) blocks: Vec<usize>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Heading {
    /// From 1, the outermost, to 6.
    pub(super) level: usize,
    pub(super) title: String,
    pub(super) start: usize,
    /// Where the text below it begins: behind the heading, or at it, if its title is not all of it.
    pub(super) body: usize,
}

impl Heading {
    pub(super) fn new(level: usize, words: &str, start: usize, end: usize) -> Self {
        let words = one_line(words);
        let title = cut(&words, HEADING_CHARS);
        let body = if title.len() == words.len() { end } else { start };
        Self { level, title, start, body }
    }
}

impl Outline {
    /// A text without headings, whose blocks stand between blank lines.
    pub(super) fn plain(text: String) -> Self {
        let mut blocks = Vec::new();
        let (mut offset, mut was_blank) = (0, true);
        for line in text.split_inclusive('\n') {
            let is_blank = line.trim().is_empty();
            if was_blank && !is_blank {
                blocks.push(offset);
            }
            was_blank = is_blank;
            offset += line.len();
        }
        Self { text, headings: Vec::new(), blocks }
    }
}
