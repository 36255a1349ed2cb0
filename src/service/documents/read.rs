//! Reading documents and their parts.

use std::collections::HashMap;

use uuid::Uuid;

use crate::model::cursor::fingerprint;
use crate::model::document::ChunkSlice;
use crate::model::{Content, Cursor, Detail, Viewer, limits};
use crate::service::page::Page;
use crate::service::{Error, ListPage, Result, Services};
use crate::store::{chunk, document};

impl Services {
    /// The whole texts of visible documents.
    pub async fn document_bodies(
        &self,
        viewer: Viewer,
        ids: &[Uuid],
    ) -> Result<HashMap<Uuid, String>> {
        let scope = self.reading(viewer)?;
        let most = limits::BODIES_CHARS;
        let bodies = document::bodies(&self.db, scope, ids, most).await?;
        bodies.ok_or_else(|| {
            let problem = format!(
                "of {} documents has more than {most} characters; ask for fewer documents at once",
                ids.len()
            );
            Error::invalid("body", problem)
        })
    }

    /// How many parts visible documents have.
    pub async fn chunk_counts(&self, viewer: Viewer, ids: &[Uuid]) -> Result<HashMap<Uuid, i64>> {
        let scope = self.reading(viewer)?;
        Ok(chunk::counts(&self.db, scope, ids).await?)
    }

    /// Which parts a page of a document's parts is made of: one more than it shows.
    pub fn chunk_slice(
        &self,
        viewer: Viewer,
        document_id: Uuid,
        first: i32,
        after: Option<&str>,
    ) -> Result<ChunkSlice> {
        let print = chunks_print(viewer, document_id);
        let page = Page::new(first, limits::LIST_FIRST, after, print)?;
        let place = page.after.map(|cursor| i32::try_from(cursor.position).unwrap_or(i32::MAX) - 1);
        let limit = i64::try_from(page.first + 1).unwrap_or(i64::MAX);
        Ok(ChunkSlice { document_id, after: place, limit })
    }

    /// The parts of slices of visible documents.
    pub async fn chunk_slices(
        &self,
        viewer: Viewer,
        slices: &[ChunkSlice],
    ) -> Result<HashMap<ChunkSlice, Vec<Content>>> {
        let scope = self.reading(viewer)?;
        Ok(chunk::slices(&self.db, scope, slices).await?)
    }

    /// The page that a slice was read for.
    pub fn chunk_page(
        &self,
        viewer: Viewer,
        slice: ChunkSlice,
        mut contents: Vec<Content>,
    ) -> ListPage {
        let first = usize::try_from(slice.limit - 1).unwrap_or(0);
        let has_next_page = contents.len() > first;
        contents.truncate(first);
        let fingerprint = chunks_print(viewer, slice.document_id);
        let cursors = contents.iter().map(|content| {
            let place = match &content.detail {
                Detail::Chunk(chunk) => chunk.position,
                Detail::Song(_) | Detail::Document(_) => 0,
            };
            let position = u32::try_from(place + 1).unwrap_or(u32::MAX);
            Cursor { fingerprint, position, score: 0.0, id: content.id }.encode()
        });
        let cursors = cursors.collect();
        ListPage { contents, cursors, has_next_page, has_previous_page: slice.after.is_some() }
    }
}

fn chunks_print(viewer: Viewer, document_id: Uuid) -> u64 {
    fingerprint(&["chunks", &format!("{viewer:?}{document_id}")])
}
