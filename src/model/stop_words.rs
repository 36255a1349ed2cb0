//! Words that only hold a sentence together, by language.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

/// One line per language: its name, a colon, its words. The lists are those of the Snowball project
/// (BSD licence), as PostgreSQL carries them.
const LISTS: &str = include_str!("../../assets/stop_words.txt");

/// The languages in which a piece of a search text is made of stop words alone: `of`, `don't`.
///
/// A piece without a letter or a digit says nothing in any language, and is no stop word.
pub fn languages_of(piece: &str) -> Vec<&'static str> {
    let lower = piece.to_lowercase();
    let parts: Vec<&str> = words(&lower).collect();
    if parts.is_empty() {
        return Vec::new();
    }
    let holds_all = |list: &HashSet<&str>| parts.iter().all(|part| list.contains(part));
    let languages = lists().iter().filter(|(_, list)| holds_all(list));
    languages.map(|(language, _)| *language).collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !is_of_a_word(letter)).filter(|word| !word.is_empty())
}

/// Letters of Devanagari carry signs that are no letters themselves.
fn is_of_a_word(letter: char) -> bool {
    letter.is_alphanumeric() || ('\u{900}'..='\u{97f}').contains(&letter)
}

fn lists() -> &'static HashMap<&'static str, HashSet<&'static str>> {
    static PARSED: OnceLock<HashMap<&str, HashSet<&str>>> = OnceLock::new();
    PARSED.get_or_init(|| {
        let lines = LISTS.lines().filter_map(|line| line.split_once(": "));
        lines.map(|(language, list)| (language, list.split(' ').collect())).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::{languages_of, lists};

    #[test]
    fn a_stop_word_belongs_to_its_languages() {
        assert_eq!(languages_of("The"), ["english"]);
        assert_eq!(languages_of("don't"), ["english"]);
        assert_eq!(languages_of("welche"), ["german"]);
        assert!(languages_of("rock").is_empty());
        assert!(languages_of("&").is_empty());
        assert!(languages_of("the-beatles").is_empty());
    }

    #[test]
    fn every_language_of_the_lists_has_words() {
        assert_eq!(lists().len(), 15);
        assert!(lists().values().all(|list| list.len() >= 4));
    }
}
