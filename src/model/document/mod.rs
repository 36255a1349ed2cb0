//! Documents and their parts: their fields, and the text that is embedded.

mod draft;

use sha2::{Digest, Sha256};
use uuid::Uuid;

pub use draft::{DocumentChanges, DocumentDraft, derived_id};

/// What only a document has.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    pub url: Option<String>,
    pub tags: Vec<String>,
    pub summary: Option<String>,
    pub format: Format,
    /// A name of the list in [`crate::model::language`].
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
    /// Puts the document together with its parts, which are headings and texts.
    pub fn with_parts(self, parts: Vec<(Vec<String>, String)>) -> CutDocument {
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
