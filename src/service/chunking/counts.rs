//! Tokens of any part of a text, from one count of its words.

use std::collections::HashMap;
use std::ops::Range;

/// Bytes of a word that are counted at once; a run without spaces is counted in parts of this length.
const WORD_BYTES: usize = 64;

/// How many tokens stand before each place of a text.
///
/// A model's counter is asked once for each different word. Sums over words are exact for models that
/// cut texts at spaces, and close for others; what must hold exactly is counted again as a whole.
pub(super) struct Counts {
    words: Vec<Word>,
    /// Tokens of a text without words, such as those that mark its start and end.
    frame: usize,
}

#[derive(Debug, Clone, Copy)]
struct Word {
    start: usize,
    end: usize,
    /// Tokens up to its end.
    total: usize,
}

impl Counts {
    pub(super) fn new(text: &str, tokens: &dyn Fn(&str) -> usize) -> Self {
        let frame = tokens("");
        let mut known: HashMap<&str, usize> = HashMap::new();
        let mut words = Vec::new();
        let mut total = 0;
        for range in words_of(text) {
            // Many models have tokens that begin with the space before a word.
            let with_space = range.start > 0 && text[..range.start].ends_with(' ');
            let start = range.start - usize::from(with_space);
            let word = &text[start..range.end];
            total += *known.entry(word).or_insert_with(|| tokens(word).saturating_sub(frame));
            words.push(Word { start: range.start, end: range.end, total });
        }
        Self { words, frame }
    }

    /// Tokens of a part, about.
    pub(super) fn of(&self, range: &Range<usize>) -> usize {
        let (whole, part, of) = self.before(range.start);
        let start = whole + part / of;
        let (whole, part, of) = self.before(range.end);
        let end = whole + part.div_ceil(of);
        self.frame + end.saturating_sub(start)
    }

    /// The end of the word with which a part that begins at `start` has so many tokens, if there are as many.
    pub(super) fn reach(&self, start: usize, tokens: usize) -> Option<usize> {
        let (before, ..) = self.before(start);
        let index = self.words.partition_point(|word| word.total < before + tokens);
        self.words.get(index).map(|word| word.end)
    }

    /// Tokens before a place: a number, and a fraction for a place within a word.
    fn before(&self, offset: usize) -> (usize, usize, usize) {
        let index = self.words.partition_point(|word| word.end <= offset);
        let whole = index.checked_sub(1).map_or(0, |last| self.words[last].total);
        match self.words.get(index) {
            Some(word) if word.start < offset => {
                let tokens = word.total - whole;
                (whole, tokens * (offset - word.start), word.end - word.start)
            }
            Some(_) | None => (whole, 0, 1),
        }
    }
}

/// Words, and the white space between them where it is more than one space.
fn words_of(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut offset = 0;
    std::iter::from_fn(move || {
        let rest = &text[offset..];
        let rest = &rest[..rest.floor_char_boundary(WORD_BYTES)];
        let is_space = rest.starts_with(char::is_whitespace);
        let length = match rest.find(|letter: char| letter.is_whitespace() != is_space) {
            _ if rest.is_empty() => return None,
            Some(length) => length,
            None => rest.len(),
        };
        offset += length;
        Some(offset - length..offset)
    })
    .filter(move |range| &text[range.clone()] != " ")
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_part_has_the_tokens_of_its_words() {
        let text = "one two  three\n\nfour";
        let counts = Counts::new(text, &|text| 2 + text.split_whitespace().count());
        assert_eq!(counts.of(&(0..text.len())), 2 + 4);
        assert_eq!(counts.of(&(4..14)), 2 + 2);
        assert_eq!(counts.of(&(3..4)), 2);
        assert_eq!(counts.of(&(0..0)), 2);
        assert_eq!(
            [1, 3, 4, 5].map(|tokens| counts.reach(4, tokens)),
            [Some(7), Some(20), None, None]
        );
    }

    #[test]
    fn a_place_within_a_word_is_counted_by_its_share() {
        let text = "x".repeat(640);
        let counts = Counts::new(&text, &|text| text.len().div_ceil(4));
        assert_eq!(counts.of(&(0..640)), 160);
        assert_eq!(counts.of(&(0..24)), 6);
        assert_eq!(counts.of(&(24..26)), 1);
    }

    #[test]
    fn a_word_is_counted_once() {
        let calls = Cell::new(0);
        let count = |text: &str| {
            calls.set(calls.get() + 1);
            text.len()
        };
        Counts::new(&"the same word, ".repeat(10_000), &count);
        assert!(calls.get() < 10, "{}", calls.get());
    }
}
