//! What a person means by a search text: words, "phrases" and -exclusions.

/// A search text taken apart as `websearch_to_tsquery` reads it, except that plain words are joined
/// with OR: a question in natural language must not need every one of its words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextQuery {
    /// Words any of which may occur.
    pub words: String,
    /// Beginnings of words, written with a star: `aero*`.
    pub prefixes: Vec<String>,
    /// Texts that must occur as they stand.
    pub phrases: Vec<String>,
    /// Words and phrases that must not occur.
    pub excluded: Vec<String>,
}

impl TextQuery {
    /// Everything that is looked for, phrases included, without what is excluded.
    pub fn wanted(&self) -> String {
        let mut wanted = vec![self.words.as_str()];
        wanted.extend(self.prefixes.iter().chain(&self.phrases).map(String::as_str));
        wanted.join(" ")
    }

    /// Takes a text apart; nothing a person types is an error.
    pub fn parse(text: &str) -> Self {
        let mut query = Self::default();
        let mut rest = text;
        while let Some(start) = rest.find(|c: char| !c.is_whitespace()) {
            rest = &rest[start..];
            let negated = is_exclusion(rest);
            let body = if negated { &rest[1..] } else { rest };
            let (token, quoted, after) = next_token(body);
            rest = after;
            match (negated, quoted) {
                (true, _) => query.excluded.push(token.to_owned()),
                (false, true) => query.phrases.push(token.to_owned()),
                (false, false) => query.push_word(token),
            }
        }
        query.phrases.retain(|phrase| !phrase.trim().is_empty());
        query.excluded.retain(|phrase| !phrase.trim().is_empty());
        query
    }

    fn push_word(&mut self, token: &str) {
        if let Some(prefix) = prefix(token) {
            self.prefixes.push(prefix.to_owned());
            return;
        }
        if !self.words.is_empty() {
            self.words.push(' ');
        }
        self.words.push_str(token);
    }
}

/// What stands before a star at the end of a word. One letter begins too many words to say anything.
fn prefix(token: &str) -> Option<&str> {
    let prefix = token.strip_suffix('*')?;
    let is_word = prefix.ends_with(char::is_alphanumeric);
    (is_word && prefix.chars().filter(|c| c.is_alphanumeric()).count() > 1).then_some(prefix)
}

/// A minus sign excludes only at the start of a word: `-live`, but not `hip-hop` or `- live`.
fn is_exclusion(text: &str) -> bool {
    text.strip_prefix('-')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_alphanumeric() || c == '"'))
}

/// The next word or quoted phrase, whether it was quoted, and what follows. A quote that is never
/// closed is an ordinary character.
fn next_token(text: &str) -> (&str, bool, &str) {
    if let Some(inner) = text.strip_prefix('"')
        && let Some(end) = inner.find('"')
    {
        return (&inner[..end], true, &inner[end + 1..]);
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (&text[..end], false, &text[end..])
}

#[cfg(test)]
mod tests {
    use super::TextQuery;

    #[test]
    fn words_phrases_and_exclusions_are_told_apart() {
        let query = TextQuery::parse(r#"hip-hop "purple rain" beats -live -"radio edit" - x"#);
        assert_eq!(query.words, "hip-hop beats - x");
        assert_eq!(query.phrases, ["purple rain"]);
        assert_eq!(query.excluded, ["live", "radio edit"]);
    }

    #[test]
    fn an_open_quote_is_an_ordinary_character() {
        assert_eq!(TextQuery::parse("12\" vinyl").words, "12\" vinyl");
        assert_eq!(TextQuery::parse("\"purple rain").phrases, Vec::<String>::new());
    }

    #[test]
    fn a_star_ends_a_beginning_and_is_an_ordinary_character_elsewhere() {
        let query = TextQuery::parse("aero* dyn*amic * a* ** 4*4 \"star*\"");
        assert_eq!(query.prefixes, ["aero"]);
        assert_eq!(query.words, "dyn*amic * a* ** 4*4");
        assert_eq!(query.wanted(), "dyn*amic * a* ** 4*4 aero star*");
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_is_typed_is_lost_or_an_error(text in ".{0,200}") {
            let query = TextQuery::parse(&text);
            let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).count();
            let excluded: usize = query.excluded.iter().map(|text| letters(text)).sum();
            proptest::prop_assert_eq!(letters(&query.wanted()) + excluded, letters(&text));
        }
    }
}
