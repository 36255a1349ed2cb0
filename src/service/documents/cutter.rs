//! How long the parts of a document become.

use crate::model::document::{CutDocument, DocumentDraft, NewDocument};
use crate::model::field::InvalidField;
use crate::model::{Kind, Space, limits};
use crate::service::chunking::{self, Chunking};
use crate::service::token_table::TokenTable;
use crate::service::{Error, Result, Services};

/// Tokens of a part that are left to its headings.
const HEADING_TOKENS: usize = 24;

impl Services {
    /// Checks documents and cuts them into parts for the space that answers for parts.
    pub(super) async fn cut(
        &self,
        drafts: Vec<DocumentDraft>,
    ) -> Result<Vec<std::result::Result<CutDocument, InvalidField>>> {
        let validate = |draft: DocumentDraft| draft.validate(chunking::title_of);
        let checked: Vec<_> = drafts.into_iter().map(validate).collect();
        let space = self.space_for(Kind::Chunk, None).await?;
        let mut texts: Vec<&str> = Vec::new();
        for new in checked.iter().flatten() {
            texts.extend([new.title.as_str(), new.body.as_str()]);
        }
        let cutter = self.cutter(&space, &texts).await?;
        // Cutting a long text takes as long as many requests do.
        let cut = tokio::task::spawn_blocking(move || {
            let cut = checked.into_iter().map(|new| new.and_then(|new| cutter.cut(new)));
            cut.collect::<Vec<_>>()
        });
        cut.await.map_err(Error::Aside)
    }

    /// Knows how long the parts of texts become in a space. Where its model does not answer, tokens are
    /// estimated.
    async fn cutter(&self, space: &Space, texts: &[&str]) -> Result<Cutter> {
        let embedder = self.embedder_of(space)?;
        let most = embedder.description().max_tokens;
        let counted = TokenTable::of(embedder.as_ref(), texts).await;
        let table = counted.unwrap_or_else(|error| {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "Cutting documents by estimate: the embedding model is away"
            );
            TokenTable::estimate()
        });
        let wanted = |setting: Option<i32>, default| {
            setting.and_then(|value| usize::try_from(value).ok()).unwrap_or(default)
        };
        Ok(Cutter {
            tokens: wanted(space.settings.chunk_tokens, limits::DEFAULT_CHUNK_TOKENS).min(most),
            overlap: wanted(space.settings.chunk_overlap, limits::DEFAULT_CHUNK_OVERLAP),
            most,
            table,
        })
    }
}

/// Cuts documents for a space.
struct Cutter {
    /// Tokens of a part that are wanted.
    tokens: usize,
    overlap: usize,
    /// Tokens that the model reads.
    most: usize,
    table: TokenTable,
}

impl Cutter {
    fn cut(&self, mut new: NewDocument) -> std::result::Result<CutDocument, InvalidField> {
        let tokens = |text: &str| self.table.tokens(text);
        // What is embedded is the part below its title and headings: all of it should be read.
        let above = self.table.added + tokens(&new.title) + HEADING_TOKENS;
        let room = self.most.saturating_sub(above).max(self.tokens / 2);
        let max_tokens = self.tokens.min(room).max(1);
        let overlap_tokens = self.overlap.min(max_tokens / 2);
        let chunking = Chunking { max_tokens, overlap_tokens };
        let pieces = chunking::split(&new.body, new.document.format, chunking, &tokens);
        if new.document.summary.is_none() {
            let summary = chunking::summary(&pieces);
            new.document.summary = Some(summary).filter(|summary| !summary.is_empty());
        }
        let parts: Vec<_> = pieces.into_iter().map(|piece| (piece.headings, piece.text)).collect();
        let most = limits::DOCUMENT_CHUNKS;
        let problem = if parts.is_empty() {
            "holds no text; a document needs at least one word".to_owned()
        } else if parts.len() > most {
            let count = parts.len();
            format!("has {count} parts; {most} are allowed: cut it into several documents")
        } else {
            return Ok(new.with_parts(parts));
        };
        Err(InvalidField { field: "body", problem })
    }
}
