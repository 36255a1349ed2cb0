//! Documents: cut into parts, and written with them.

use std::collections::{HashMap, HashSet, VecDeque};

use uuid::Uuid;

use super::chunking::{self, Chunking};
use super::ingest::{
    self, Checked, IngestMode, Ingestible, RowOutcome, RowStatus, Target, Written,
};
use super::page::Page;
use super::tiers::Hash;
use super::token_table::TokenTable;
use super::{Error, ListPage, Result, Services};
use crate::model::cursor::fingerprint;
use crate::model::document::{
    ChunkSlice, CutDocument, DocumentChanges, DocumentDraft, NewDocument, source_hash,
};
use crate::model::field::InvalidField;
use crate::model::{Content, Cursor, Detail, Kind, NodeId, Space, Viewer, limits};
use crate::store::chunk::{self, Part, Present, Replacement};
use crate::store::content_write::NewContent;
use crate::store::{content, document};

/// Tokens of a part that are left to its headings.
const HEADING_TOKENS: usize = 24;

impl Ingestible for CutDocument {
    const KIND: Kind = Kind::Document;

    fn external_id(&self) -> &str {
        &self.new.external_id
    }

    fn texts(&self) -> Vec<(Kind, Hash, String)> {
        let chunks = self.chunk_texts().map(|(chunk, text)| (Kind::Chunk, chunk.source_hash, text));
        let own = (Kind::Document, self.source_hash, self.text());
        std::iter::once(own).chain(chunks).collect()
    }

    async fn insert(
        target: &mut Target<'_>,
        rows: &[(Uuid, &Self)],
    ) -> Result<Option<Vec<Written>>> {
        let (scope, owner, now) = (target.scope, target.owner, target.now);
        if !document::insert(target.tx, scope, owner, rows, now).await? {
            return Ok(None);
        }
        let (written, _) = write_chunks(target, rows).await?;
        Ok(Some(written))
    }

    async fn update(
        target: &mut Target<'_>,
        rows: &[(Uuid, &Self)],
    ) -> Result<(Vec<Written>, HashSet<Uuid>)> {
        let mut changed = document::update(target.tx, target.scope, rows, target.now).await?;
        let (written, with_other_parts) = write_chunks(target, rows).await?;
        changed.extend(with_other_parts);
        Ok((written, changed))
    }
}

/// Writes the parts of documents that were just written, and says which documents got other parts.
async fn write_chunks(
    target: &mut Target<'_>,
    rows: &[(Uuid, &CutDocument)],
) -> Result<(Vec<Written>, HashSet<Uuid>)> {
    let documents: Vec<Uuid> = rows.iter().map(|(id, _)| *id).collect();
    let present = chunk::present(target.tx, target.scope, &documents).await?;
    let mut by_document: HashMap<Uuid, Vec<Present>> = HashMap::new();
    for part in present {
        by_document.entry(part.document_id).or_default().push(part);
    }
    let mut written = Vec::new();
    let mut assigned = Vec::with_capacity(rows.len());
    for (id, cut) in rows {
        let own = Written { kind: Kind::Document, id: *id, source_hash: cut.source_hash };
        written.push(own);
        let ids = Assigned::new(by_document.remove(id).unwrap_or_default(), cut);
        assigned.push(ids.with_new_ids(|| target.services.clock.new_id()));
    }
    let mut replacement = Replacement::default();
    for ((id, cut), ids) in rows.iter().zip(&assigned) {
        ids.push_to(&mut replacement, *id, cut);
    }
    let (scope, owner, now) = (target.scope, target.owner, target.now);
    let changed = chunk::replace(target.tx, scope, owner, &replacement, now).await?;
    let mut changed_documents = HashSet::new();
    for ((id, cut), ids) in rows.iter().zip(&assigned) {
        let is_other = |place: &Place| place.is_new || changed.contains(&place.id);
        if !ids.removed.is_empty() || ids.places.iter().any(is_other) {
            changed_documents.insert(*id);
        }
        let parts = ids.places.iter().zip(&cut.chunks).map(|(place, chunk)| Written {
            kind: Kind::Chunk,
            id: place.id,
            source_hash: chunk.source_hash,
        });
        written.extend(parts);
    }
    Ok((written, changed_documents))
}

/// Which row each part of a document goes to.
#[derive(Debug, Default)]
struct Assigned {
    places: Vec<Place>,
    removed: Vec<Uuid>,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Place {
    id: Uuid,
    /// The id as a text, which is what a part is known by.
    external_id: String,
    is_new: bool,
}

impl Assigned {
    /// Gives each part the row whose embedded text is the same, else one whose own text is the same
    /// (title or headings have changed), in the order in which they stand; what is left is new.
    fn new(present: Vec<Present>, cut: &CutDocument) -> Self {
        let mut rows: Vec<Option<Uuid>> = vec![None; cut.chunks.len()];
        let embedded: Vec<Hash> = cut.chunks.iter().map(|chunk| chunk.source_hash).collect();
        let left = take(&mut rows, &embedded, present, |present| &present.source_hash);
        let bodies: Vec<Hash> = cut.chunks.iter().map(|chunk| source_hash(&chunk.body)).collect();
        let left = take(&mut rows, &bodies, left, |present| &present.body_hash);
        let place = |id: Option<Uuid>| Place {
            id: id.unwrap_or_default(),
            external_id: String::new(),
            is_new: id.is_none(),
        };
        Self {
            places: rows.into_iter().map(place).collect(),
            removed: left.into_iter().map(|present| present.id).collect(),
        }
    }

    fn with_new_ids(mut self, new_id: impl Fn() -> Uuid) -> Self {
        for place in self.places.iter_mut().filter(|place| place.is_new) {
            place.id = new_id();
        }
        for place in &mut self.places {
            place.external_id = place.id.to_string();
        }
        self
    }

    fn push_to<'a>(
        &'a self,
        replacement: &mut Replacement<'a>,
        document_id: Uuid,
        cut: &'a CutDocument,
    ) {
        replacement.removed.extend(&self.removed);
        for (position, (place, chunk)) in (0..).zip(self.places.iter().zip(&cut.chunks)) {
            let content = NewContent {
                id: place.id,
                external_id: &place.external_id,
                title: &cut.new.title,
                body: &chunk.body,
                headings: &chunk.headings,
                language: cut.new.document.language,
                source_hash: &chunk.source_hash,
            };
            let part = Part { content, document_id, position };
            let parts = if place.is_new { &mut replacement.new } else { &mut replacement.kept };
            parts.push(part);
        }
    }
}

/// Gives each free place the first row with its hash, and returns the rows that are left.
fn take(
    places: &mut [Option<Uuid>],
    hashes: &[Hash],
    present: Vec<Present>,
    hash: impl Fn(&Present) -> &Vec<u8>,
) -> Vec<Present> {
    let mut by_hash: HashMap<&[u8], VecDeque<usize>> = HashMap::new();
    for (index, present) in present.iter().enumerate() {
        by_hash.entry(hash(present)).or_default().push_back(index);
    }
    let mut taken = HashSet::new();
    for (place, wanted) in places.iter_mut().zip(hashes).filter(|(place, _)| place.is_none()) {
        let found = by_hash.get_mut(wanted.as_slice()).and_then(VecDeque::pop_front);
        *place = found.map(|index| present[index].id);
        taken.extend(found);
    }
    let rows = present.into_iter().enumerate();
    rows.filter(|(index, _)| !taken.contains(index)).map(|(_, present)| present).collect()
}

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

    /// Checks documents and cuts them into parts for the space that answers for parts.
    async fn cut(
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

/// Reading documents and their parts.
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
