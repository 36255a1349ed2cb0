//! Documents as they are sent, and what is allowed in them.

use sha2::{Digest, Sha256};

use super::{Document, Format, NewDocument, one_line};
use crate::model::field::{InvalidField, invalid, optional, without_nul};
use crate::model::{Content, language, limits};

/// A document as somebody sends it, not yet checked.
#[derive(Debug, Clone)]
pub struct DocumentDraft {
    pub external_id: Option<String>,
    pub title: Option<String>,
    /// The whole text.
    pub body: String,
    pub url: Option<String>,
    pub tags: Vec<String>,
    /// By its name or its code: `german` or `de`.
    pub language: Option<String>,
    pub format: Format,
    pub summary: Option<String>,
}

/// What is to change of a document; `None` keeps what is there.
#[derive(Debug, Clone, Default)]
pub struct DocumentChanges {
    pub title: Option<String>,
    pub body: Option<String>,
    pub url: Option<String>,
    pub tags: Option<Vec<String>>,
    pub language: Option<String>,
    pub format: Option<Format>,
    pub summary: Option<String>,
}

impl DocumentChanges {
    /// The document as it is to be. A summary belongs to its text: a new text without one is summed up
    /// anew.
    pub fn applied(self, present: Content, detail: Document, body: String) -> DocumentDraft {
        let is_new_text = self.body.is_some() || self.format.is_some();
        DocumentDraft {
            external_id: Some(present.external_id),
            title: self.title.or(Some(present.title)),
            body: self.body.unwrap_or(body),
            url: self.url.or(detail.url),
            tags: self.tags.unwrap_or(detail.tags),
            language: self.language.or_else(|| Some(detail.language.to_owned())),
            format: self.format.unwrap_or(detail.format),
            summary: self.summary.or(detail.summary.filter(|_| !is_new_text)),
        }
    }
}

impl DocumentDraft {
    /// Checks every field; `title_of` finds a title in the text of a document that was sent without one.
    pub fn validate(
        self,
        title_of: impl Fn(&str, Format) -> Option<String>,
    ) -> Result<NewDocument, InvalidField> {
        check_body(&self.body)?;
        let title = match optional("title", self.title, limits::TITLE_CHARS)? {
            Some(title) => one_line(&title),
            None => one_line(&title_of(&self.body, self.format).unwrap_or_else(untitled)),
        };
        let url = optional("url", self.url, limits::URL_CHARS)?;
        url.as_deref().map_or(Ok(()), check_url)?;
        let external_id = match optional("externalId", self.external_id, limits::NAME_CHARS)? {
            Some(id) => id,
            None => derived_id(url.as_deref(), &title, &self.body),
        };
        let document = Document {
            url,
            tags: checked_tags(self.tags)?,
            summary: optional("summary", self.summary, limits::SUMMARY_CHARS)?,
            format: self.format,
            language: checked_language(self.language)?,
        };
        Ok(NewDocument { external_id, title, body: self.body, document })
    }
}

/// A text may hold words and yet show none, as the source of a page does.
fn untitled() -> String {
    "Untitled".to_owned()
}

fn check_body(body: &str) -> Result<(), InvalidField> {
    without_nul("body", body)?;
    let chars = body.chars().count();
    if chars > limits::DOCUMENT_CHARS {
        let most = limits::DOCUMENT_CHARS;
        return invalid("body", format!("has {chars} characters; {most} are allowed"));
    }
    if body.trim().is_empty() {
        return invalid("body", "is empty; a document needs at least one word");
    }
    if !body.contains(char::is_alphanumeric) {
        return invalid("body", "holds no letter and no digit; a document needs at least one word");
    }
    Ok(())
}

fn check_url(url: &str) -> Result<(), InvalidField> {
    let lower = url.to_ascii_lowercase();
    let rest = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://"));
    let is_whole = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
    if is_whole && !url.contains(|letter: char| letter.is_whitespace() || letter.is_control()) {
        return Ok(());
    }
    let shown: String = url.chars().take(80).collect();
    invalid("url", format!("must begin with `http://` or `https://`, but is `{shown}`"))
}

fn checked_tags(tags: Vec<String>) -> Result<Vec<String>, InvalidField> {
    if tags.len() > limits::TAGS {
        let problem = format!("holds {} values; {} are allowed", tags.len(), limits::TAGS);
        return invalid("tags", problem);
    }
    let mut checked: Vec<String> = Vec::with_capacity(tags.len());
    for tag in tags {
        // The store keeps tags apart with this character.
        let tag = tag.replace('\u{1f}', " ");
        let tag = optional("tags", Some(tag), limits::TAG_CHARS)?;
        checked.extend(tag.filter(|tag| !checked.contains(tag)));
    }
    Ok(checked)
}

fn checked_language(text: Option<String>) -> Result<&'static str, InvalidField> {
    let Some(text) = optional("language", text, limits::TAG_CHARS)? else {
        return Ok(language::DEFAULT);
    };
    let Some(known) = language::named(&text) else {
        let names: Vec<_> = language::names().collect();
        let problem =
            format!("must be a code such as `en` or one of {}, but is `{text}`", names.join(", "));
        return invalid("language", problem);
    };
    Ok(known)
}

/// Without an id of its own a document is known by its address, or else by its title and text, so that
/// sending it again changes nothing.
pub fn derived_id(url: Option<&str>, title: &str, body: &str) -> String {
    if let Some(url) = url
        && url.chars().count() <= limits::NAME_CHARS
    {
        return url.to_owned();
    }
    let mut hasher = Sha256::new();
    let parts = if let Some(url) = url { [url, ""] } else { [title, body] };
    for part in parts {
        hasher.update(part);
        hasher.update([0]);
    }
    format!("sha256:{}", hex::encode(&hasher.finalize()[..16]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(body: &str, format: Format) -> DocumentDraft {
        DocumentDraft {
            external_id: None,
            title: None,
            body: body.to_owned(),
            url: None,
            tags: Vec::new(),
            language: None,
            format,
            summary: None,
        }
    }

    fn problem(draft: DocumentDraft) -> String {
        draft.validate(|_, _| None).unwrap_err().to_string()
    }

    #[test]
    fn a_text_without_words_is_refused() {
        for body in ["", " \n\t ", "?!… — 🎵", "---\n***"] {
            let problem = problem(draft(body, Format::Markdown));
            assert!(problem.starts_with("`body`") && problem.contains("word"), "{problem}");
        }
        assert!(problem(draft("a\0b", Format::Plain)).contains("NUL"));
        let long = problem(draft(&"é".repeat(1_000_001), Format::Plain));
        assert_eq!(long, "`body` has 1000001 characters; 1000000 are allowed");
    }

    #[test]
    fn an_address_must_be_one_of_the_web() {
        for url in ["ftp://x", "javascript:alert(1)", "http://", "https:///x", "http://a b", "x"] {
            let draft = DocumentDraft { url: Some(url.to_owned()), ..draft("x", Format::Plain) };
            assert!(problem(draft).contains("https://"), "{url}");
        }
        let url = Some("HTTPS://example.org/?q=1#a".to_owned());
        let new = DocumentDraft { url: url.clone(), ..draft("x", Format::Plain) };
        let new = new.validate(|_, _| None).unwrap();
        assert_eq!((new.document.url, Some(new.external_id)), (url.clone(), url));
    }

    #[test]
    fn a_language_that_does_not_exist_is_refused_with_those_that_do() {
        let draft = DocumentDraft { language: Some("klingon".into()), ..draft("x", Format::Plain) };
        let problem = problem(draft);
        assert!(problem.contains("`klingon`") && problem.contains("swedish"), "{problem}");
    }

    #[test]
    fn a_document_without_an_id_is_known_by_its_address_or_its_text() {
        let id = |body: &str| draft(body, Format::Plain).validate(|_, _| None).unwrap().external_id;
        assert_eq!(id("one"), id("one"));
        assert_ne!(id("one"), id("one more"));
        let long = format!("https://example.org/{}", "x".repeat(600));
        assert!(derived_id(Some(&long), "", "").starts_with("sha256:"));
    }
}
