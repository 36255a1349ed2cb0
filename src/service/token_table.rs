//! Tokens of a text as a model counts them, without asking it again for every text.
//!
//! The model counts each word once, and a text has as many tokens as its words have together. That is
//! exact for models that cut texts at white space first, and close for others.

use std::collections::{HashMap, HashSet};

use crate::embed::{Embedder, Error};

/// Longer words are no words: lists of numbers, pictures as text, sentences of languages without spaces.
/// They are counted by character, because they are cut anywhere.
const LONGEST_WORD: usize = 64;

/// How many tokens each word of some texts has.
#[derive(Debug)]
pub(super) struct TokenTable {
    by_word: HashMap<String, usize>,
    /// Characters of a token in words that are not in the table.
    chars_per_token: usize,
    /// Tokens that the model adds to every text.
    pub(super) added: usize,
}

impl TokenTable {
    /// For a model that cannot be asked: four characters are a token, as they are in most English words.
    pub(super) fn estimate() -> Self {
        Self { by_word: HashMap::new(), chars_per_token: 4, added: 2 }
    }

    /// Asks a model for the tokens of every word of some texts.
    pub(super) async fn of(embedder: &dyn Embedder, texts: &[&str]) -> Result<Self, Error> {
        let words: HashSet<&str> = texts.iter().flat_map(|text| words(text)).collect();
        let mut asked: Vec<String> = vec!["a".to_owned(), "a a".to_owned()];
        asked.extend(words.into_iter().map(str::to_owned));
        let mut counts = embedder.count_tokens(&asked).await?.into_iter();
        let (one, two) = (counts.next().unwrap_or(0), counts.next().unwrap_or(0));
        let added = (2 * one).saturating_sub(two);
        let by_word = asked.into_iter().skip(2).zip(counts);
        let by_word = by_word.map(|(word, count)| (word, count.saturating_sub(added)));
        Ok(Self { by_word: by_word.collect(), chars_per_token: 1, added })
    }

    /// Tokens of a text. A word that the model was not asked for counts a token for each character.
    pub(super) fn tokens(&self, text: &str) -> usize {
        let tokens = |word: &str| match self.by_word.get(word) {
            Some(tokens) => *tokens,
            None => word.chars().count().div_ceil(self.chars_per_token),
        };
        text.split_whitespace().map(tokens).sum()
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace().filter(|word| word.len() <= LONGEST_WORD)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embed::StaticEmbedder;

    #[tokio::test]
    async fn a_table_counts_as_the_model_does() {
        let model = StaticEmbedder::bundled().unwrap();
        let text = "Ownership is Rust’s most unique feature, with deep implications (really!).";
        let table = TokenTable::of(&model, &[text]).await.unwrap();
        let counted = model.count_tokens(&[text.to_owned()]).await.unwrap()[0];
        assert_eq!(table.tokens(text) + table.added, counted);
    }

    #[tokio::test]
    async fn what_was_not_asked_for_counts_by_character() {
        let model = StaticEmbedder::bundled().unwrap();
        let table = TokenTable::of(&model, &[]).await.unwrap();
        assert_eq!(table.tokens("日本語 abc"), 6);
        assert_eq!(TokenTable::estimate().tokens("implementation a"), 5);
    }
}
