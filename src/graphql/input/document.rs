//! Documents as clients send them.

use async_graphql::InputObject;

use crate::graphql::object::document::DocumentFormat;
use crate::model::document::{DocumentChanges, DocumentDraft};

/// A document to ingest. Only `body` is needed.
#[derive(InputObject)]
pub(in crate::graphql) struct DocumentInput {
    /// Your own id of the document, at most 500 characters; sending the same id again updates the
    /// document. Without it `url` is the id, and without that title and text together.
    external_id: Option<String>,
    /// Title, at most 500 characters. Without it, the first heading or the first words are the title.
    title: Option<String>,
    /// The whole text, at most 1,000,000 characters, with at least one word.
    body: String,
    /// Address on the web, beginning with `http://` or `https://`, at most 2,000 characters.
    url: Option<String>,
    /// At most 50 tags of at most 100 characters.
    tags: Option<Vec<String>>,
    /// Language of the text, by its name or its code: `german`, `de`; `simple` takes words as they are.
    /// Default is `english`.
    language: Option<String>,
    /// How the text is written.
    #[graphql(default_with = "DocumentFormat::Plain")]
    format: DocumentFormat,
    /// What it is about, at most 2,000 characters. Without it, its beginning and its headings are taken.
    summary: Option<String>,
}

impl From<DocumentInput> for DocumentDraft {
    fn from(input: DocumentInput) -> Self {
        Self {
            external_id: input.external_id,
            title: input.title,
            body: input.body,
            url: input.url,
            tags: input.tags.unwrap_or_default(),
            language: input.language,
            format: input.format.into(),
            summary: input.summary,
        }
    }
}

/// What is to change of a document. What is not given stays.
#[derive(InputObject)]
pub(in crate::graphql) struct DocumentChangesInput {
    /// Title, at most 500 characters; an empty one is taken from the text.
    title: Option<String>,
    /// The whole text, at most 1,000,000 characters, with at least one word.
    body: Option<String>,
    /// Address on the web; an empty one takes it away.
    url: Option<String>,
    /// All tags, at most 50.
    tags: Option<Vec<String>>,
    /// Language of the text, by its name or its code.
    language: Option<String>,
    /// How the text is written.
    format: Option<DocumentFormat>,
    /// What it is about; an empty one is made of the text, and so is that of a new text that comes
    /// without one.
    summary: Option<String>,
}

impl From<DocumentChangesInput> for DocumentChanges {
    fn from(input: DocumentChangesInput) -> Self {
        Self {
            title: input.title,
            body: input.body,
            url: input.url,
            tags: input.tags,
            language: input.language,
            format: input.format.map(Into::into),
            summary: input.summary,
        }
    }
}
