//! Lists, lookups and what becomes of rows.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::page::Page;
use super::{Error, Result, Services};
use crate::model::content::{Change, ContentOrder};
use crate::model::cursor::fingerprint;
use crate::model::{Content, Cursor, Filter, Kind, NodeId, Scope, Viewer, limits};
use crate::store::{Tx, chunk, content, task};

/// A request for a page of a list.
#[derive(Debug, Clone)]
pub struct ListInput {
    pub kind: Kind,
    pub filter: Filter,
    pub order: ContentOrder,
    pub first: i32,
    pub after: Option<String>,
}

/// A page of a list.
#[derive(Debug, Clone)]
pub struct ListPage {
    pub contents: Vec<Content>,
    pub cursors: Vec<String>,
    pub has_next_page: bool,
    pub has_previous_page: bool,
}

impl Services {
    /// One page of the live rows of a kind.
    pub async fn list(&self, viewer: Viewer, input: &ListInput) -> Result<ListPage> {
        let scope = self.reading(viewer)?;
        let conditions = input.filter.parts();
        if conditions > limits::FILTER_PARTS {
            let problem =
                format!("has {conditions} conditions; {} are allowed", limits::FILTER_PARTS);
            return Err(Error::invalid("where", problem));
        }
        let arguments = format!("{viewer:?}{}{:?}{:?}", input.kind, input.filter, input.order);
        let print = fingerprint(&["list", &arguments]);
        let page = Page::new(input.first, limits::LIST_FIRST, input.after.as_deref(), print)?;
        let list = content::List {
            kind: input.kind,
            filter: &input.filter,
            order: input.order,
            after: page.after.map(|cursor| (cursor.id, i64::from(cursor.position))),
            limit: i64::try_from(page.first + 1).unwrap_or(i64::MAX),
        };
        let mut ids = content::list(&self.db, scope, &list).await?;
        let has_next_page = ids.len() > page.first;
        ids.truncate(page.first);
        let mut found = content::by_ids(&self.db, scope, &ids).await?;
        let contents: Vec<Content> = ids.iter().filter_map(|id| found.remove(id)).collect();
        let cursors = contents.iter().enumerate().map(|(index, content)| {
            let position = u32::try_from(page.position() + index + 1).unwrap_or(u32::MAX);
            Cursor { fingerprint: print, position, score: 0.0, id: content.id }.encode()
        });
        let cursors = cursors.collect();
        Ok(ListPage { contents, cursors, has_next_page, has_previous_page: page.after.is_some() })
    }

    /// How many live rows of a kind pass a filter.
    pub async fn count(&self, viewer: Viewer, kind: Kind, filter: &Filter) -> Result<i64> {
        let scope = self.reading(viewer)?;
        Ok(content::count(&self.db, scope, kind, filter).await?)
    }

    /// Whether any row of a kind is there, live or deleted.
    pub async fn holds_any(&self, viewer: Viewer, kind: Kind) -> Result<bool> {
        let scope = self.reading(viewer)?;
        Ok(content::holds_any(&self.db, scope, kind).await?)
    }

    /// The visible rows among some ids.
    pub async fn contents(
        &self,
        viewer: Viewer,
        ids: &[NodeId],
    ) -> Result<HashMap<NodeId, Content>> {
        let scope = self.reading(viewer)?;
        Ok(content::by_ids(&self.db, scope, ids).await?)
    }

    /// Soft-deletes, restores or purges rows, at most as many as the caller expects to change.
    pub async fn change(
        &self,
        viewer: Viewer,
        change: Change,
        ids: &[NodeId],
        at_most: i32,
    ) -> Result<Vec<NodeId>> {
        let scope = self.administering(viewer)?;
        let ids: BTreeSet<NodeId> = ids.iter().copied().collect();
        if ids.is_empty() || ids.len() > limits::IDS {
            let problem = format!("holds {} ids; 1 to {} are allowed", ids.len(), limits::IDS);
            return Err(Error::invalid("ids", problem));
        }
        if ids.len() > usize::try_from(at_most).unwrap_or(0) {
            let problem =
                format!("is {at_most}, but {} rows are named; nothing was changed", ids.len());
            return Err(Error::invalid("atMost", problem));
        }
        if let Some(chunk) = ids.iter().find(|id| id.kind == Kind::Chunk) {
            let problem = format!("names `{chunk}`; a chunk follows its document, so name that");
            return Err(Error::invalid("ids", problem));
        }
        let ids: Vec<NodeId> = ids.into_iter().collect();
        let now = self.clock.now();
        let mut tx = self.db.begin(scope).await?;
        let ids = content::lock(&mut tx, scope, &ids).await?;
        let documents = ids.iter().filter(|id| id.kind == Kind::Document);
        let documents: Vec<Uuid> = documents.map(|id| id.id).collect();
        let chunks = chunk::follow(&mut tx, scope, &documents, change, now).await?;
        let changed = content::change(&mut tx, scope, &ids, change, now).await?;
        match change {
            Change::Restore => {
                let chunks = chunks.into_iter().map(|id| NodeId { kind: Kind::Chunk, id });
                let restored: Vec<NodeId> = changed.iter().copied().chain(chunks).collect();
                self.enqueue_restored(&mut tx, scope, &restored, now).await?;
            }
            Change::SoftDelete | Change::Purge => {}
        }
        super::commit(tx).await?;
        self.wake_worker.notify_one();
        Ok(changed)
    }

    /// Queues rows for the spaces that were made or filled while they were deleted.
    async fn enqueue_restored(
        &self,
        tx: &mut Tx,
        scope: Scope,
        restored: &[NodeId],
        now: DateTime<Utc>,
    ) -> Result<()> {
        for kind in Kind::ALL {
            let of_kind = restored.iter().filter(|id| id.kind == kind);
            let ids: Vec<Uuid> = of_kind.map(|id| id.id).collect();
            if !ids.is_empty() {
                task::enqueue(tx, scope, kind, &ids, now).await?;
            }
        }
        Ok(())
    }
}
