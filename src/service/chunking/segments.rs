//! Cuts a text without regard to its sections: blocks, then sentences, then words.

use std::ops::Range;

use text_splitter::{ChunkConfig, ChunkSizer, MarkdownSplitter, TextSplitter};

use super::Chunking;
use super::clean::has_words;
use super::counts::Counts;
use super::outline::Outline;

/// How a text is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grammar {
    Plain,
    Markdown,
}

/// Bytes that the splitter sees at once, beside room for a few pieces, and pieces that it may make of them.
/// It looks at all that is left for each piece, and its parser takes quadratic time for some texts.
const SEGMENT_BYTES: usize = 8 << 10;
const SEGMENT_PIECES: usize = 12;
/// Bytes of a token, generously.
const TOKEN_BYTES: usize = 8;

/// The text of a document, and what is needed to cut any part of it.
pub(super) struct Segments<'a> {
    outline: &'a Outline,
    grammar: Grammar,
    max_tokens: usize,
    overlap_tokens: usize,
    tokens: &'a dyn Fn(&str) -> usize,
    counts: Counts,
}

/// Tells the splitter the tokens of parts of the text, without counting them anew.
struct Estimate<'a> {
    text: &'a str,
    counts: &'a Counts,
}

impl ChunkSizer for Estimate<'_> {
    fn size(&self, chunk: &str) -> usize {
        // The splitter hands out parts of the text that it was given, so their addresses are their places.
        let start = chunk.as_ptr().addr() - self.text.as_ptr().addr();
        self.counts.of(&(start..start + chunk.len()))
    }
}

/// Counts what the splitter asks for as it is.
struct Exact<'a>(&'a dyn Fn(&str) -> usize);

impl ChunkSizer for Exact<'_> {
    fn size(&self, chunk: &str) -> usize {
        (self.0)(chunk)
    }
}

impl<'a> Segments<'a> {
    pub(super) fn new(
        outline: &'a Outline,
        grammar: Grammar,
        chunking: Chunking,
        tokens: &'a dyn Fn(&str) -> usize,
    ) -> Self {
        let max_tokens = chunking.max_tokens.max(1);
        let overlap_tokens = chunking.overlap_tokens.min(max_tokens / 2);
        let counts = Counts::new(&outline.text, tokens);
        Self { outline, grammar, max_tokens, overlap_tokens, tokens, counts }
    }

    /// Whether a part fits into one piece, as far as that is known without counting.
    pub(super) fn seems_to_fit(&self, range: &Range<usize>) -> bool {
        self.counts.of(range) <= self.max_tokens
    }

    /// The part as one piece, or as several if it does not fit.
    pub(super) fn cut(&self, range: Range<usize>) -> Vec<String> {
        let text = trimmed(&self.outline.text[range.clone()]);
        let mut texts = Vec::new();
        if !has_words(text) {
            return texts;
        }
        if self.seems_to_fit(&range) && (self.tokens)(text) <= self.max_tokens {
            texts.push(text.to_owned());
        } else {
            self.cut_by_segments(range, &mut texts);
        }
        texts
    }

    fn cut_by_segments(&self, range: Range<usize>, texts: &mut Vec<String>) {
        let mut start = range.start;
        while start < range.end {
            let end = self.segment_end(start, range.end);
            let chunks = self.chunks(start..end);
            let count = match end == range.end {
                true => chunks.len(),
                false => self.untouched(&chunks),
            };
            for chunk in &chunks[..count] {
                self.check(&self.outline.text[chunk.clone()], texts);
            }
            start = match (end == range.end, chunks.get(count)) {
                (false, Some(next)) if next.start > start => next.start,
                (true, _) | (false, Some(_) | None) => end,
            };
        }
    }

    /// Where a segment ends: behind a line, a word or a character.
    fn segment_end(&self, start: usize, limit: usize) -> usize {
        let text = &self.outline.text;
        let bytes = SEGMENT_BYTES + 4 * TOKEN_BYTES * self.max_tokens;
        let reach = self.counts.reach(start, SEGMENT_PIECES * self.max_tokens);
        let wanted = reach.map_or(start + bytes, |reach| reach.min(start + bytes));
        if wanted >= limit {
            return limit;
        }
        let end = text.floor_char_boundary(wanted);
        let middle = text.floor_char_boundary(start + (end - start) / 2);
        let last_half = &text[middle..end];
        let cut = last_half.rfind('\n').or_else(|| last_half.rfind(char::is_whitespace));
        cut.map_or(end, |at| text.ceil_char_boundary(middle + at + 1))
    }

    fn chunks(&self, segment: Range<usize>) -> Vec<Range<usize>> {
        let text = &self.outline.text[segment.clone()];
        let sizer = Estimate { text: &self.outline.text, counts: &self.counts };
        let chunks = split(self.grammar, text, self.max_tokens, self.overlap_tokens, sizer);
        chunks
            .into_iter()
            .map(|chunk| chunk.start + segment.start..chunk.end + segment.start)
            .collect()
    }

    /// How many chunks of a segment are not changed by what follows it: those before the last block, or
    /// before the last chunk, if all belong to one block.
    fn untouched(&self, chunks: &[Range<usize>]) -> usize {
        let begins_block =
            |chunk: &Range<usize>| self.outline.blocks.binary_search(&chunk.start).is_ok();
        let last = chunks.len().saturating_sub(1);
        let at = (1..=last).rev().find(|index| begins_block(&chunks[*index]));
        at.unwrap_or(if last == 0 { chunks.len() } else { last })
    }

    /// Takes a piece that was cut by estimate, or cuts it in halves by exact counts.
    fn check(&self, text: &str, texts: &mut Vec<String>) {
        let text = trimmed(text);
        if !has_words(text) {
            return;
        }
        let tokens = (self.tokens)(text);
        if tokens <= self.max_tokens {
            texts.push(text.to_owned());
            return;
        }
        // Pieces of equal length say more than a full one and a scrap.
        let capacity = (tokens.div_ceil(tokens.div_ceil(self.max_tokens)) + 2).min(self.max_tokens);
        for chunk in split(self.grammar, text, capacity, 0, Exact(self.tokens)) {
            self.check_exact(&text[chunk], texts);
        }
    }

    /// The splitter takes for granted that no text has more tokens than bytes; here nothing is.
    fn check_exact(&self, text: &str, texts: &mut Vec<String>) {
        let mut waiting = vec![text];
        while let Some(text) = waiting.pop() {
            let text = trimmed(text);
            let middle = text.floor_char_boundary(text.len() / 2);
            let middle = if middle == 0 { text.ceil_char_boundary(1) } else { middle };
            if !has_words(text) {
            } else if middle == text.len() || (self.tokens)(text) <= self.max_tokens {
                texts.push(text.to_owned());
            } else {
                waiting.extend([&text[middle..], &text[..middle]]);
            }
        }
    }
}

fn split(
    grammar: Grammar,
    text: &str,
    capacity: usize,
    overlap: usize,
    sizer: impl ChunkSizer,
) -> Vec<Range<usize>> {
    let config = ChunkConfig::new(capacity)
        .with_sizer(sizer)
        .with_overlap(overlap.min(capacity.saturating_sub(1)))
        .expect("the overlap is smaller than the capacity");
    let range = |(start, chunk): (usize, &str)| start..start + chunk.len();
    match grammar {
        Grammar::Plain => TextSplitter::new(config).chunk_indices(text).map(range).collect(),
        Grammar::Markdown => MarkdownSplitter::new(config).chunk_indices(text).map(range).collect(),
    }
}

/// Without white space behind it, and without lines before and behind it that are blank or only go on with
/// a quotation; the first line keeps its indentation.
fn trimmed(text: &str) -> &str {
    let is_mark = |letter: char| letter == '>' || letter.is_whitespace();
    let marks = text.len() - text.trim_start_matches(is_mark).len();
    let start = text[..marks].rfind('\n').map_or(0, |line| line + 1);
    let rest = text[start..].trim_end();
    let words = rest.trim_end_matches(is_mark).len();
    // A mark that ends a line with words belongs to it.
    let end = rest[words..].find('\n').map_or(rest.len(), |line| words + line);
    rest[..end].trim_end()
}

#[cfg(test)]
mod tests {
    use super::trimmed;

    #[test]
    fn lines_without_words_are_left_out_around_a_piece() {
        assert_eq!(trimmed("\n \n  code\n\n"), "  code");
        assert_eq!(trimmed(">\n> words\n> more\n>\n>\n"), "> words\n> more");
        assert_eq!(trimmed("a\n<b>"), "a\n<b>");
        assert_eq!(trimmed(">\n> "), ">");
        assert_eq!(trimmed(" "), "");
    }
}
