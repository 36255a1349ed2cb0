//! Takes the documents of a test collection in.

use std::collections::HashMap;

use super::beir::Entry;
use crate::model::{NodeId, Viewer, limits};
use crate::service::{IngestMode, Result, RowOutcome, Services};

/// Characters of documents in one transaction.
const BATCH_CHARS: usize = 500_000;

/// What became of the documents of a collection.
#[derive(Debug, Clone, Default)]
pub struct Collection {
    /// The rows, by the ids of the collection.
    pub rows: HashMap<String, NodeId>,
    /// Documents that were not written, and why.
    pub rejected: Vec<(String, String)>,
}

impl Services {
    /// Writes the documents of a collection with their parts; the queue holds what is to be embedded then.
    /// `on_progress` is told how many documents are done.
    pub async fn ingest_collection(
        &self,
        viewer: Viewer,
        entries: Vec<Entry>,
        language: Option<&str>,
        on_progress: impl Fn(usize),
    ) -> Result<Collection> {
        let mut collection = Collection::default();
        let mut batch = Vec::new();
        let mut chars = 0;
        let mut entries = entries.into_iter().peekable();
        while let Some(entry) = entries.next() {
            chars += entry.title.len() + entry.text.len();
            batch.push(entry.into_draft(language.map(str::to_owned)));
            let is_full = batch.len() == limits::INGEST_DOCUMENTS || chars >= BATCH_CHARS;
            if is_full || entries.peek().is_none() {
                let drafts = std::mem::take(&mut batch);
                let outcomes =
                    self.ingest_documents(viewer, drafts, IngestMode::Insert, None).await?;
                collection.take(outcomes);
                chars = 0;
                on_progress(collection.rows.len() + collection.rejected.len());
            }
        }
        Ok(collection)
    }
}

impl Collection {
    fn take(&mut self, outcomes: Vec<RowOutcome>) {
        for outcome in outcomes {
            let name = outcome.external_id.unwrap_or_default();
            match (outcome.id, outcome.fault) {
                (Some(id), None) => {
                    self.rows.insert(name, id);
                }
                (_, fault) => {
                    let message = fault.map_or_else(String::new, |fault| fault.message);
                    self.rejected.push((name, message));
                }
            }
        }
    }
}
