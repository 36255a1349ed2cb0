//! Counts tokens as OpenAI's embedding models do, and cuts texts to what they read.
//!
//! The table of tokens is loaded when the first text needs it, on a thread where that blocks nobody.

use tiktoken_rs::{CoreBPE, cl100k_base_singleton};

use super::batches::Prepared;
use crate::embed::Error;

/// Bytes that are counted at a time. What finds the words looks ahead, and its patience with a long
/// text without any ends in a panic.
const SLICE: usize = 4_096;

/// The texts to be sent: those that are not blank, cut to so many tokens.
pub(super) async fn prepared(texts: &[String], max_tokens: usize) -> Result<Vec<Prepared>, Error> {
    let prepare = |(index, text): (usize, &String)| Prepared {
        index,
        text: text.clone(),
        // A token has at least one byte, so most texts need no counting.
        tokens: text.len(),
        is_truncated: false,
    };
    let texts = texts.iter().enumerate().filter(|(_, text)| !text.trim().is_empty());
    let mut prepared: Vec<Prepared> = texts.map(prepare).collect();
    if prepared.iter().all(|text| text.text.len() <= max_tokens) {
        return Ok(prepared);
    }
    aside(move || {
        for text in prepared.iter_mut().filter(|text| text.text.len() > max_tokens) {
            shorten(text, max_tokens);
        }
        prepared.retain(|text| !text.text.trim().is_empty());
        prepared
    })
    .await
}

/// Tokens of each text.
pub(super) async fn counted(texts: Vec<String>) -> Result<Vec<usize>, Error> {
    aside(move || texts.iter().map(|text| count(text)).collect()).await
}

async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Panicked)
}

fn count(text: &str) -> usize {
    let table = cl100k_base_singleton();
    slices(text).map(|slice| table.count_ordinary(slice)).sum()
}

/// Cuts a text to its first tokens and notes how many it has.
fn shorten(prepared: &mut Prepared, max_tokens: usize) {
    let table = cl100k_base_singleton();
    let mut keep = max_tokens;
    loop {
        let end = end_of(table, &prepared.text, keep);
        prepared.is_truncated |= end < prepared.text.len();
        prepared.text.truncate(end);
        prepared.tokens = count(&prepared.text);
        // Words that are cut in two may count for more than they did as one.
        let excess = prepared.tokens.saturating_sub(max_tokens);
        if excess == 0 || keep <= excess {
            return;
        }
        keep -= excess;
    }
}

/// Where the first so many tokens of a text end, in bytes, never within a character.
fn end_of(table: &CoreBPE, text: &str, tokens: usize) -> usize {
    let (mut end, mut left) = (0, tokens);
    for slice in slices(text) {
        let found = table.encode_ordinary(slice);
        if found.len() <= left {
            left -= found.len();
            end += slice.len();
            continue;
        }
        let bytes = table.decode_bytes(&found[..left]).map_or(0, |bytes| bytes.len());
        return text.floor_char_boundary(end + bytes);
    }
    end
}

/// A text in parts that are short enough to be counted, cut before spaces where there are any, because
/// no token goes beyond those.
fn slices(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (slice, left) = rest.split_at(slice_end(rest));
        rest = left;
        Some(slice)
    })
}

fn slice_end(rest: &str) -> usize {
    if rest.len() <= SLICE {
        return rest.len();
    }
    let most = rest.floor_char_boundary(SLICE);
    let words = rest[..most].rmatch_indices(' ').map(|(at, _)| at);
    // A space that follows another one belongs to it.
    let mut words = words.filter(|at| *at > 0 && !rest[..*at].ends_with(char::is_whitespace));
    words.next().unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shortened(text: &str, max_tokens: usize) -> Prepared {
        let mut prepared =
            Prepared { index: 0, text: text.to_owned(), tokens: text.len(), is_truncated: false };
        shorten(&mut prepared, max_tokens);
        prepared
    }

    #[test]
    fn slices_count_as_the_whole_does() {
        let table = cl100k_base_singleton();
        let prose =
            "It was the best of times, it was the worst of times; don't panic. ".repeat(300);
        let numbers = (0..3_000).map(|number| format!("{number}, ")).collect::<Vec<_>>().concat();
        for text in [prose, numbers, "Grüße aus Köln 你好 🎸 ".repeat(400)] {
            assert!(text.len() > 2 * SLICE);
            assert_eq!(slices(&text).collect::<String>(), text);
            assert_eq!(count(&text), table.count_ordinary(&text));
        }
    }

    #[test]
    fn a_text_is_cut_at_its_tokens_and_never_within_a_character() {
        for text in
            ["one two three four five six", "🎸🥁🎹🎺🎻🪕", "ééééééééééé", "aaaaaaaaaaaaaaaaaaaa"]
        {
            for max_tokens in 1..=count(text) {
                let cut = shortened(text, max_tokens);
                assert!(text.starts_with(&cut.text));
                assert!(cut.tokens <= max_tokens, "{cut:?}");
                assert_eq!(cut.tokens, count(&cut.text));
                assert_eq!(cut.is_truncated, cut.text != text);
            }
        }
        let whole = shortened("one two three four five six", 6);
        assert_eq!((whole.tokens, whole.is_truncated), (6, false));
        assert_eq!(shortened("one two three four five six", 4).text, "one two three four");
    }

    #[test]
    fn long_texts_without_words_are_counted() {
        for letter in ["a", " ", "\n", "🎸", "\u{301}", "<|endoftext|>"] {
            let text = letter.repeat(200_000 / letter.len());
            assert!(count(&text) > 1_000, "{letter:?}");
            let cut = shortened(&text, 1_000);
            assert!(cut.is_truncated && cut.tokens <= 1_000, "{letter:?}: {}", cut.tokens);
        }
    }

    #[tokio::test]
    async fn blank_texts_are_left_out_and_places_are_kept() {
        let texts = ["", "a", " \n\t", "b"].map(str::to_owned);
        let found = prepared(&texts, 100).await.unwrap();
        let places: Vec<_> = found.iter().map(|text| (text.index, text.text.as_str())).collect();
        assert_eq!(places, [(1, "a"), (3, "b")]);
    }
}
