//! What a person means by a search text: words, "phrases" and -exclusions.

/// A search text taken apart as `websearch_to_tsquery` reads it, except that plain words are joined
/// with OR: a question in natural language must not need every one of its words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextQuery {
    /// Words any of which may occur.
    pub words: String,
    /// Texts that must occur as they stand.
    pub phrases: Vec<String>,
    /// Words and phrases that must not occur.
    pub excluded: Vec<String>,
}

impl TextQuery {
    /// Everything that is looked for, phrases included, without what is excluded.
    pub fn wanted(&self) -> String {
        format!("{} {}", self.words, self.phrases.join(" "))
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
                (false, false) => {
                    if !query.words.is_empty() {
                        query.words.push(' ');
                    }
                    query.words.push_str(token);
                }
            }
        }
        query.phrases.retain(|phrase| !phrase.trim().is_empty());
        query.excluded.retain(|phrase| !phrase.trim().is_empty());
        query
    }
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
}
