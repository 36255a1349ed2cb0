//! One way to write line ends, and no characters that are none.

/// The text with line feeds alone, without a byte order mark, and with spaces for control characters, so
/// that a file saved on another system gives the same pieces.
pub(super) fn clean(text: &str) -> String {
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let mut clean = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\r' => {
                letters.next_if_eq(&'\n');
                clean.push('\n');
            }
            '\n' | '\t' => clean.push(letter),
            letter if letter.is_control() => clean.push(' '),
            letter => clean.push(letter),
        }
    }
    clean
}

/// Whether there is something to embed or to find: a letter, a digit, or a sign beyond ASCII.
pub(super) fn has_words(text: &str) -> bool {
    text.chars()
        .any(|letter| letter.is_alphanumeric() || !(letter.is_ascii() || letter.is_whitespace()))
}

/// The text on one line, with single spaces.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The text up to a number of characters, cut behind a word where there is one, and marked as cut.
pub(super) fn cut(text: &str, max_chars: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(max_chars) else { return text.to_owned() };
    // One character is for the mark.
    let end = text[..end].char_indices().next_back().map_or(0, |(last, _)| last);
    let start = &text[..end];
    let word = match text[end..].starts_with(char::is_whitespace) {
        true => start,
        false => start.rsplit_once(char::is_whitespace).map_or(start, |(before, _)| before),
    };
    format!("{}…", word.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_and_control_characters_are_made_plain() {
        assert_eq!(clean("\u{FEFF}a\r\nb\rc\n\rd\0e\u{7}\tf"), "a\nb\nc\n\nd e \tf");
    }

    #[test]
    fn a_text_is_cut_behind_a_word() {
        assert_eq!(cut("one two", 7), "one two");
        assert_eq!(cut("one two three", 8), "one two…");
        assert_eq!(cut("one two three", 7), "one…");
        assert_eq!(cut("ééééé", 3), "éé…");
        assert_eq!(cut("abc", 1), "…");
    }

    #[test]
    fn signs_of_punctuation_are_no_words() {
        assert!(!has_words(" \n--- *** ``` \u{3000}"));
        assert!(has_words("🎉") && has_words("- 1") && has_words("שלום"));
    }
}
