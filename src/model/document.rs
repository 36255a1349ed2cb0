//! Documents and their parts: their fields, what is allowed in them, and the text that is embedded.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::field::{InvalidField, invalid, optional, without_nul};
use super::{language, limits};

/// Characters of a title that is taken from the text.
const DERIVED_TITLE_CHARS: usize = 80;
/// Characters of the text that a summary begins with, where none was sent.
const SUMMARY_BEGINNING_CHARS: usize = 500;
/// Characters of the headings that it ends with.
const SUMMARY_HEADINGS_CHARS: usize = 500;

/// What only a document has.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    pub url: Option<String>,
    pub tags: Vec<String>,
    pub summary: Option<String>,
    pub format: Format,
    /// One of [`language::names`].
    pub language: &'static str,
}

/// What only a part of a document has.
#[derive(Debug, Clone, PartialEq)]
pub struct Chunk {
    pub document_id: Uuid,
    /// Place in the document, from 0.
    pub position: i32,
    /// Headings above it, outermost first.
    pub headings: Vec<String>,
}

/// How the text of a document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    Plain,
    Markdown,
    Html,
}

impl Format {
    pub const ALL: [Self; 3] = [Self::Plain, Self::Markdown, Self::Html];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Markdown => "markdown",
            Self::Html => "html",
        }
    }
}

/// A document as somebody sends it, not yet checked.
#[derive(Debug, Clone)]
pub struct DocumentDraft {
    pub external_id: Option<String>,
    /// Without it, the first heading or the first words are the title.
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

/// A document that keeps to every limit.
#[derive(Debug, Clone)]
pub struct NewDocument {
    pub external_id: String,
    pub title: String,
    pub body: String,
    pub document: Document,
}

/// The beginning of a document's parts, or what follows behind a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChunkSlice {
    pub document_id: Uuid,
    /// The place behind which it begins; `None` is the first part.
    pub after: Option<i32>,
    pub limit: i64,
}

/// A part of a document that is about to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewChunk {
    /// As [`breadcrumb`] makes it.
    pub headings: String,
    pub body: String,
    pub source_hash: [u8; 32],
}

/// A document with its parts, ready to be written.
#[derive(Debug, Clone)]
pub struct CutDocument {
    /// Its summary is there.
    pub new: NewDocument,
    pub source_hash: [u8; 32],
    /// In the order of their places.
    pub chunks: Vec<NewChunk>,
}

impl NewDocument {
    /// Puts the document together with its parts, which are headings and texts. A document that was sent
    /// without a summary is summed up by its beginning and its headings.
    pub fn with_parts(mut self, parts: Vec<(Vec<String>, String)>) -> CutDocument {
        if self.document.summary.is_none() {
            self.document.summary = summed_up(&parts);
        }
        let chunks = parts.into_iter().map(|(headings, body)| {
            let headings = breadcrumb(&headings);
            let text = Embedded::Chunk { title: &self.title, headings: &headings, body: &body };
            NewChunk { source_hash: source_hash(&text.text()), headings, body }
        });
        let chunks = chunks.collect();
        let summary = self.document.summary.as_deref();
        let text = Embedded::Document { title: &self.title, summary }.text();
        CutDocument { source_hash: source_hash(&text), new: self, chunks }
    }
}

impl CutDocument {
    /// The text of the document that is embedded.
    pub fn text(&self) -> String {
        let summary = self.new.document.summary.as_deref();
        Embedded::Document { title: &self.new.title, summary }.text()
    }

    /// The text of each part that is embedded.
    pub fn chunk_texts(&self) -> impl Iterator<Item = (&NewChunk, String)> {
        let title = self.new.title.as_str();
        self.chunks.iter().map(move |chunk| {
            let NewChunk { headings, body, .. } = chunk;
            (chunk, Embedded::Chunk { title, headings, body }.text())
        })
    }
}

/// The beginning of the first part, and the headings of all parts, each once.
fn summed_up(parts: &[(Vec<String>, String)]) -> Option<String> {
    let beginning = words_up_to(&parts.first()?.1, SUMMARY_BEGINNING_CHARS);
    let mut headings: Vec<String> = Vec::new();
    let mut chars = 0;
    for heading in parts.iter().flat_map(|(headings, _)| headings) {
        let heading = one_line(heading);
        if heading.is_empty() || headings.contains(&heading) {
            continue;
        }
        chars += heading.chars().count() + 2;
        if chars > SUMMARY_HEADINGS_CHARS {
            break;
        }
        headings.push(heading);
    }
    let lines = [beginning, headings.join("; ")];
    let lines: Vec<String> = lines.into_iter().filter(|line| !line.is_empty()).collect();
    Some(lines.join("\n")).filter(|summary| !summary.is_empty())
}

/// The first words of a text on one line, as many as there is room for.
fn words_up_to(text: &str, chars: usize) -> String {
    let mut short = String::new();
    let mut length = 0;
    for word in text.split_whitespace() {
        length += word.chars().count() + 1;
        if length > chars {
            break;
        }
        if !short.is_empty() {
            short.push(' ');
        }
        short.push_str(word);
    }
    short
}

impl DocumentDraft {
    /// Checks every field.
    pub fn validate(self) -> Result<NewDocument, InvalidField> {
        check_body(&self.body)?;
        let title = match optional("title", self.title, limits::TITLE_CHARS)? {
            Some(title) => one_line(&title),
            None => derived_title(&self.body, self.format),
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

/// The first heading, or else the first words of a text that holds at least one.
fn derived_title(body: &str, format: Format) -> String {
    let title = match format {
        Format::Plain => None,
        Format::Markdown => markdown_heading(body),
        Format::Html => ["title", "h1", "h2"].into_iter().find_map(|tag| html_element(body, tag)),
    };
    title.or_else(|| first_words(body, format)).unwrap_or_else(|| "Untitled".to_owned())
}

fn markdown_heading(body: &str) -> Option<String> {
    let heading = body.lines().map(str::trim_start).find_map(|line| {
        let text = line.trim_start_matches('#');
        let is_heading = text.len() < line.len() && text.starts_with([' ', '\t']);
        is_heading.then(|| text.trim().trim_end_matches('#'))
    });
    shortened(heading?)
}

/// The text of the first element of a name, without the tags in it.
fn html_element(body: &str, tag: &str) -> Option<String> {
    let lower = body.to_ascii_lowercase();
    let at = lower.find(&format!("<{tag}"))?;
    let begin = at + lower[at..].find('>')? + 1;
    let end = begin + lower[begin..].find(&format!("</{tag}"))?;
    shortened(&without_tags(&body[begin..end]))
}

fn without_tags(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut is_inside = false;
    for letter in html.chars() {
        match letter {
            '<' => is_inside = true,
            '>' if is_inside => {
                is_inside = false;
                text.push(' ');
            }
            other if !is_inside => text.push(other),
            _ => {}
        }
    }
    text
}

fn first_words(body: &str, format: Format) -> Option<String> {
    match format {
        Format::Plain => body.lines().find_map(shortened),
        Format::Markdown => {
            let marks = ['*', '_', '`', '>', '-', '#', ' '];
            body.lines().find_map(|line| shortened(line.trim_matches(marks)))
        }
        Format::Html => without_tags(body).lines().find_map(shortened),
    }
}

/// A text on one line, cut between words; `None` if it holds no word.
fn shortened(text: &str) -> Option<String> {
    if !text.contains(char::is_alphanumeric) {
        return None;
    }
    let short = words_up_to(text, DERIVED_TITLE_CHARS);
    // One word may be as long as the text.
    let whole = || text.split_whitespace().next().unwrap_or_default().to_owned();
    let short = if short.is_empty() { whole() } else { short };
    Some(short.chars().take(limits::TITLE_CHARS).collect())
}

/// A line break would make a title look like headings in the text that is embedded.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The headings of a part as they are stored and embedded: one a line.
pub fn breadcrumb(headings: &[String]) -> String {
    let lines: Vec<String> = headings.iter().map(|heading| one_line(heading)).collect();
    lines.iter().filter(|line| !line.is_empty()).cloned().collect::<Vec<_>>().join("\n")
}

/// What of a row goes into the text that is embedded.
#[derive(Debug, Clone, Copy)]
pub enum Embedded<'a> {
    /// Rows whose body is the text.
    Body(&'a str),
    Document {
        title: &'a str,
        summary: Option<&'a str>,
    },
    Chunk {
        title: &'a str,
        /// As [`breadcrumb`] makes it.
        headings: &'a str,
        body: &'a str,
    },
}

impl Embedded<'_> {
    /// The text that is embedded. The worker composes it in SQL, from the row as it is then.
    pub fn text(self) -> String {
        match self {
            Self::Body(body) => body.to_owned(),
            Self::Document { title, summary: Some(summary) } => format!("{title}\n{summary}"),
            Self::Document { title, summary: None } => title.to_owned(),
            Self::Chunk { title, headings: "", body } => format!("{title}\n{body}"),
            Self::Chunk { title, headings, body } => format!("{title}\n{headings}\n{body}"),
        }
    }
}

/// SHA-256 of a text that is embedded.
pub fn source_hash(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
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

    fn title(body: &str, format: Format) -> String {
        draft(body, format).validate().unwrap().title
    }

    fn problem(draft: DocumentDraft) -> String {
        draft.validate().unwrap_err().to_string()
    }

    #[test]
    fn without_a_title_the_first_heading_or_the_first_words_are_it() {
        assert_eq!(title("Some text.\n\n## A heading ##\n", Format::Markdown), "A heading");
        assert_eq!(title("#tag is no heading\n", Format::Markdown), "tag is no heading");
        assert_eq!(title("\n***\nFirst line.\nSecond.", Format::Plain), "First line.");
        let html = "<html><TITLE>\nA <b>bold</b>\ntitle</TITLE><body><h1>Other</h1>";
        assert_eq!(title(html, Format::Html), "A bold title");
        assert_eq!(title("<p>Just words</p>", Format::Html), "Just words");
        let long = "word ".repeat(100);
        assert_eq!(title(&long, Format::Plain).chars().count(), 79);
        assert_eq!(title(&"x".repeat(9_000), Format::Plain).chars().count(), 500);
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
        let new = new.validate().unwrap();
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
        let id = |body: &str| draft(body, Format::Plain).validate().unwrap().external_id;
        assert_eq!(id("one"), id("one"));
        assert_ne!(id("one"), id("one more"));
        let long = format!("https://example.org/{}", "x".repeat(600));
        assert!(derived_id(Some(&long), "", "").starts_with("sha256:"));
    }

    #[test]
    fn the_embedded_text_holds_no_empty_line_where_a_part_is_missing() {
        let chunk = |headings| Embedded::Chunk { title: "T", headings, body: "b" }.text();
        assert_eq!(chunk(""), "T\nb");
        assert_eq!(
            chunk(&breadcrumb(&["H 1".into(), " ".into(), "H\n2".into()])),
            "T\nH 1\nH 2\nb"
        );
        assert_eq!(Embedded::Document { title: "T", summary: None }.text(), "T");
        assert_eq!(Embedded::Document { title: "T", summary: Some("S") }.text(), "T\nS");
    }
}
