//! Documents.

/// How the text of a document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    Plain,
    Markdown,
    Html,
}

impl Format {
    pub const ALL: [Self; 3] = [Self::Plain, Self::Markdown, Self::Html];
}
