//! Which rows the parts of documents go to.

use std::collections::{HashMap, HashSet, VecDeque};

use uuid::Uuid;

use crate::model::Kind;
use crate::model::document::{CutDocument, source_hash};
use crate::service::Result;
use crate::service::ingest::{Ingestible, Target, Written};
use crate::service::tiers::Hash;
use crate::store::chunk::{self, Part, Present, Replacement};
use crate::store::content_write::NewContent;
use crate::store::document;

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
