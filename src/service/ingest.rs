//! Taking rows in.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::tiers::{Hash, ReadyVectors};
use super::{Error, Result, Services};
use crate::model::field::InvalidField;
use crate::model::song::{NewSong, SongDraft};
use crate::model::{Kind, NodeId, Scope, Viewer, limits};
use crate::store::{Tx, content_write, song, task, user};

/// What to do with rows that are there already, and with rows that are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IngestMode {
    /// Write new rows and update present ones.
    Upsert,
    /// Only write new rows; present ones are rejected.
    Insert,
    /// Only update present rows; new ones are rejected.
    Update,
}

/// What became of a row, in the order of the rows that were sent.
#[derive(Debug, Clone)]
pub struct RowOutcome {
    pub external_id: Option<String>,
    pub id: Option<NodeId>,
    pub status: RowStatus,
    pub fault: Option<RowFault>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowStatus {
    Created,
    Updated,
    /// The row is there already, exactly so.
    Unchanged,
    /// An earlier row of the same request has the same external id; that one counts.
    Duplicate,
    Rejected,
}

/// Why a row was rejected.
#[derive(Debug, Clone)]
pub struct RowFault {
    /// The field that is wrong, where one is.
    pub field: Option<&'static str>,
    pub message: String,
}

/// Rows of a kind that keep to the rules, as [`Services::write_rows`] writes them.
pub(super) trait Ingestible: Send + Sync {
    const KIND: Kind;

    fn external_id(&self) -> &str;

    /// Every text of the row that is embedded, with its hash and the kind of what it stands for.
    fn texts(&self) -> Vec<(Kind, Hash, String)>;

    /// Writes new rows and says what of them is to be embedded; `None` if somebody else just wrote one
    /// of them.
    async fn insert(
        target: &mut Target<'_>,
        rows: &[(Uuid, &Self)],
    ) -> Result<Option<Vec<Written>>>;

    /// Updates rows that are there, and says what of them is to be embedded and which ones changed.
    async fn update(
        target: &mut Target<'_>,
        rows: &[(Uuid, &Self)],
    ) -> Result<(Vec<Written>, HashSet<Uuid>)>;
}

/// Where rows are written.
pub(super) struct Target<'a> {
    pub services: &'a Services,
    pub tx: &'a mut Tx,
    pub scope: Scope,
    pub owner: Option<Uuid>,
    pub now: DateTime<Utc>,
}

/// A row of content that was written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    pub kind: Kind,
    pub id: Uuid,
    pub source_hash: Hash,
}

/// Rows of one request, those that keep to the rules with their places, and what became of the others.
pub(super) struct Checked<R> {
    pub rows: Vec<(usize, R)>,
    pub outcomes: Vec<Option<RowOutcome>>,
}

/// What one request writes.
struct Batch<'a, R> {
    mode: IngestMode,
    owner: Option<Uuid>,
    rows: &'a [(usize, R)],
    ready: Vec<ReadyVectors>,
}

impl Ingestible for NewSong {
    const KIND: Kind = Kind::Song;

    fn external_id(&self) -> &str {
        &self.external_id
    }

    fn texts(&self) -> Vec<(Kind, Hash, String)> {
        vec![(Kind::Song, self.source_hash, self.body.clone())]
    }

    async fn insert(
        target: &mut Target<'_>,
        rows: &[(Uuid, &Self)],
    ) -> Result<Option<Vec<Written>>> {
        let Target { tx, scope, owner, now, .. } = target;
        let is_written = song::insert(tx, *scope, *owner, rows, *now).await?;
        Ok(is_written.then(|| written_songs(rows)))
    }

    async fn update(
        target: &mut Target<'_>,
        rows: &[(Uuid, &Self)],
    ) -> Result<(Vec<Written>, HashSet<Uuid>)> {
        let Target { tx, scope, now, .. } = target;
        let changed = song::update(tx, *scope, rows, *now).await?;
        Ok((written_songs(rows), changed))
    }
}

fn written_songs(rows: &[(Uuid, &NewSong)]) -> Vec<Written> {
    let written = |(id, song): &(Uuid, &NewSong)| Written {
        kind: Kind::Song,
        id: *id,
        source_hash: song.source_hash,
    };
    rows.iter().map(written).collect()
}

impl Services {
    /// Writes songs. Bad rows are reported and do not stop good ones; the good ones are written
    /// together or not at all. Their vectors follow by the queue.
    pub async fn ingest_songs(
        &self,
        viewer: Viewer,
        rows: Vec<SongDraft>,
        mode: IngestMode,
        owner: Option<Uuid>,
    ) -> Result<Vec<RowOutcome>> {
        let scope = self.administering(viewer)?;
        check_count(rows.len(), limits::INGEST_ROWS)?;
        let drafts = rows.into_iter().map(|row| (row.external_id.clone(), row));
        let checked = checked(drafts, |row| row.validate(&self.settings.song_template));
        self.write_rows(scope, checked, mode, owner).await
    }

    /// Writes the rows of a request, together or not at all, and says what became of each.
    pub(super) async fn write_rows<R: Ingestible>(
        &self,
        scope: Scope,
        checked: Checked<R>,
        mode: IngestMode,
        owner: Option<Uuid>,
    ) -> Result<Vec<RowOutcome>> {
        let Checked { rows, outcomes } = checked;
        if let Some(owner) = owner {
            user::ensure(&self.db, scope, owner, self.clock.now()).await?;
        }
        let ready = self.ready_rows(&rows).await?;
        let batch = Batch { mode, owner, rows: &rows, ready };
        // Somebody else may write one of these rows between our look and our write; then look again.
        for _ in 0..3 {
            let mut tx = self.db.begin(scope).await?;
            let mut attempt = outcomes.clone();
            if self.write(&mut tx, scope, &batch, &mut attempt).await? {
                super::commit(tx).await?;
                self.wake_worker.notify_one();
                return Ok(attempt.into_iter().flatten().collect());
            }
        }
        Err(Error::invalid(
            "rows",
            "are being written by somebody else at the same time; send them again",
        ))
    }

    /// The vectors that are written with the rows, for each kind that has texts.
    async fn ready_rows<R: Ingestible>(&self, rows: &[(usize, R)]) -> Result<Vec<ReadyVectors>> {
        if !self.has_bundled() {
            return Ok(Vec::new());
        }
        let mut by_kind: HashMap<Kind, Vec<(Hash, String)>> = HashMap::new();
        for (kind, hash, text) in rows.iter().flat_map(|(_, row)| row.texts()) {
            by_kind.entry(kind).or_default().push((hash, text));
        }
        let mut ready = Vec::new();
        for (kind, texts) in by_kind {
            ready.extend(self.ready_vectors(kind, texts).await?);
        }
        Ok(ready)
    }

    /// Writes rows and queues what must be embedded; `false` if somebody else was faster.
    async fn write<R: Ingestible>(
        &self,
        tx: &mut Tx,
        scope: Scope,
        batch: &Batch<'_, R>,
        outcomes: &mut [Option<RowOutcome>],
    ) -> Result<bool> {
        let Batch { mode, owner, rows, ready } = batch;
        let now = self.clock.now();
        let names: Vec<&str> = rows.iter().map(|(_, row)| row.external_id()).collect();
        let present = content_write::existing(tx, scope, R::KIND, *owner, &names).await?;
        let (mut new, mut known) = (Vec::new(), Vec::new());
        let (mut new_at, mut known_at) = (Vec::new(), Vec::new());
        for (index, row) in *rows {
            match (present.get(row.external_id()), mode) {
                (Some(_), IngestMode::Insert) => outcomes[*index] = Some(is_there(row)),
                (None, IngestMode::Update) => outcomes[*index] = Some(is_not_there(row)),
                (Some(id), IngestMode::Upsert | IngestMode::Update) => {
                    known.push((*id, row));
                    known_at.push(*index);
                }
                (None, IngestMode::Upsert | IngestMode::Insert) => {
                    new.push((self.clock.new_id(), row));
                    new_at.push(*index);
                }
            }
        }
        let mut target = Target { services: self, tx, scope, owner: *owner, now };
        let Some(mut written) = R::insert(&mut target, &new).await? else { return Ok(false) };
        let (updated, changed) = R::update(&mut target, &known).await?;
        written.extend(updated);
        self.queue(tx, scope, &written, ready, now).await?;
        for (index, (id, row)) in new_at.into_iter().zip(new) {
            outcomes[index] = Some(taken(id, row, RowStatus::Created));
        }
        for (index, (id, row)) in known_at.into_iter().zip(known) {
            let is_changed = changed.contains(&id);
            let status = if is_changed { RowStatus::Updated } else { RowStatus::Unchanged };
            outcomes[index] = Some(taken(id, row, status));
        }
        Ok(true)
    }

    /// Writes the vectors that are ready and queues the other texts.
    async fn queue(
        &self,
        tx: &mut Tx,
        scope: Scope,
        written: &[Written],
        ready: &[ReadyVectors],
        now: DateTime<Utc>,
    ) -> Result<()> {
        let mut queued = 0;
        for kind in Kind::ALL {
            let rows: Vec<Written> =
                written.iter().copied().filter(|row| row.kind == kind).collect();
            if rows.is_empty() {
                continue;
            }
            for ready in ready.iter().filter(|ready| ready.kind == kind) {
                // Before the tasks, so that none is made for them.
                self.write_ready(tx, scope, &rows, ready).await?;
            }
            let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
            queued += task::enqueue(tx, scope, kind, &ids, now).await?;
        }
        if queued > 0 {
            task::announce(&self.db, tx, scope).await?;
        }
        Ok(())
    }
}

pub(super) fn check_count(rows: usize, most: usize) -> Result<()> {
    if rows == 0 || rows > most {
        let problem = format!("holds {rows} rows; 1 to {most} are allowed");
        return Err(Error::invalid("rows", problem));
    }
    Ok(())
}

/// Sorts rows into those that keep to the rules, each external id once, and outcomes for the rest.
pub(super) fn checked<D, R: Ingestible>(
    drafts: impl Iterator<Item = (Option<String>, D)>,
    validate: impl Fn(D) -> std::result::Result<R, InvalidField>,
) -> Checked<R> {
    let mut rows: Vec<(usize, R)> = Vec::new();
    let mut outcomes = Vec::new();
    let mut first: HashMap<String, usize> = HashMap::new();
    for (index, (external_id, draft)) in drafts.enumerate() {
        outcomes.push(match validate(draft) {
            Err(fault) => Some(rejected(external_id, &fault)),
            Ok(row) => match first.get(row.external_id()) {
                Some(earlier) => Some(duplicate(row.external_id().to_owned(), *earlier)),
                None => {
                    first.insert(row.external_id().to_owned(), index);
                    rows.push((index, row));
                    None
                }
            },
        });
    }
    Checked { rows, outcomes }
}

fn taken<R: Ingestible>(id: Uuid, row: &R, status: RowStatus) -> RowOutcome {
    RowOutcome {
        external_id: Some(row.external_id().to_owned()),
        id: Some(NodeId { kind: R::KIND, id }),
        status,
        fault: None,
    }
}

pub(super) fn rejected(external_id: Option<String>, fault: &InvalidField) -> RowOutcome {
    let message = fault.to_string();
    let fault = Some(RowFault { field: Some(fault.field), message });
    RowOutcome { external_id, id: None, status: RowStatus::Rejected, fault }
}

fn duplicate(external_id: String, earlier: usize) -> RowOutcome {
    let message =
        format!("row {earlier} of this request has the same external id; that row counts");
    let fault = Some(RowFault { field: Some("externalId"), message });
    RowOutcome { external_id: Some(external_id), id: None, status: RowStatus::Duplicate, fault }
}

fn is_there<R: Ingestible>(row: &R) -> RowOutcome {
    refused(row, "is there already; the mode `INSERT` only writes new rows")
}

fn is_not_there<R: Ingestible>(row: &R) -> RowOutcome {
    refused(row, "is not there; the mode `UPDATE` only updates present rows")
}

fn refused<R: Ingestible>(row: &R, problem: &str) -> RowOutcome {
    let message = format!("`{}` {problem}", row.external_id());
    RowOutcome {
        external_id: Some(row.external_id().to_owned()),
        id: None,
        status: RowStatus::Rejected,
        fault: Some(RowFault { field: Some("externalId"), message }),
    }
}
