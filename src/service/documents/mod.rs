//! Documents: cut into parts, and written with them.

mod cutter;
mod parts;
mod read;

use uuid::Uuid;

use super::ingest::{self, Checked, IngestMode, RowOutcome, RowStatus};
use super::{Error, Result, Services};
use crate::model::document::{DocumentChanges, DocumentDraft};
use crate::model::{Content, Detail, NodeId, Viewer, limits};
use crate::store::content;

impl Services {
    /// Writes documents with their parts. Bad ones are reported and do not stop good ones; the good
    /// ones are written together or not at all. Their vectors follow by the queue.
    pub async fn ingest_documents(
        &self,
        viewer: Viewer,
        rows: Vec<DocumentDraft>,
        mode: IngestMode,
        owner: Option<Uuid>,
    ) -> Result<Vec<RowOutcome>> {
        let scope = self.administering(viewer)?;
        ingest::check_count(rows.len(), limits::INGEST_DOCUMENTS)?;
        let names: Vec<_> = rows.iter().map(|row| row.external_id.clone()).collect();
        let cut = self.cut(rows).await?;
        let checked = ingest::checked(names.into_iter().zip(cut), |cut| cut);
        self.write_rows(scope, checked, mode, owner).await
    }

    /// Writes one document, or updates the one of its owner that has the same external id. What a user
    /// adds is their own; an administrator may name any owner, or none for the shared catalogue.
    pub async fn add_document(
        &self,
        viewer: Viewer,
        draft: DocumentDraft,
        owner: Option<Uuid>,
    ) -> Result<(Content, RowStatus)> {
        let owner = match (viewer, owner) {
            (Viewer::Anonymous, _) => return Err(Error::Unauthenticated),
            (Viewer::Admin(_), owner) => owner,
            (Viewer::User(own), Some(other)) if other != own => return Err(Error::Forbidden),
            (Viewer::User(own), _) => Some(own),
        };
        self.write_one(viewer, draft, IngestMode::Upsert, owner).await
    }

    /// Changes what is given of a document. A user may change their own, an administrator any.
    pub async fn update_document(
        &self,
        viewer: Viewer,
        id: NodeId,
        changes: DocumentChanges,
    ) -> Result<(Content, RowStatus)> {
        if viewer == Viewer::Anonymous {
            return Err(Error::Unauthenticated);
        }
        let scope = self.reading(viewer)?;
        let not_there = || Error::NotFound(format!("`{id}`"));
        let found = content::by_ids(&self.db, scope, &[id]).await?.remove(&id);
        let present = found.ok_or_else(not_there)?;
        let Detail::Document(detail) = present.detail.clone() else {
            return Err(Error::invalid("id", format!("is `{id}`, which is no document")));
        };
        if !viewer.is_admin() && present.owner_id != viewer.id() {
            return Err(Error::Forbidden);
        }
        let body = match &changes.body {
            Some(_) => String::new(),
            None => {
                let mut bodies = self.document_bodies(viewer, &[id.id]).await?;
                bodies.remove(&id.id).ok_or_else(not_there)?
            }
        };
        let owner = present.owner_id;
        let draft = changes.applied(present, *detail, body);
        self.write_one(viewer, draft, IngestMode::Update, owner).await
    }

    async fn write_one(
        &self,
        viewer: Viewer,
        draft: DocumentDraft,
        mode: IngestMode,
        owner: Option<Uuid>,
    ) -> Result<(Content, RowStatus)> {
        let cut = self.cut(vec![draft]).await?.pop().ok_or(Error::Gone)?;
        let cut = cut.map_err(|fault| Error::invalid(fault.field, fault.problem))?;
        let checked = Checked { rows: vec![(0, cut)], outcomes: vec![None] };
        let scope = self.scope(viewer);
        let outcome = self.write_rows(scope, checked, mode, owner).await?.pop();
        // The row went between our look and our write.
        let outcome = outcome.ok_or(Error::Gone)?;
        let id = outcome.id.ok_or(Error::Gone)?;
        let written = content::by_ids(&self.db, scope, &[id]).await?.remove(&id);
        Ok((written.ok_or(Error::Gone)?, outcome.status))
    }
}
