//! Taking rows in.

use std::collections::HashMap;

use uuid::Uuid;

use super::tiers::ReadyVectors;
use super::{Error, Result, Services};
use crate::model::song::{InvalidField, NewSong, SongDraft};
use crate::model::{Kind, NodeId, Scope, Viewer, limits};
use crate::store::{Tx, song, task, user};

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

/// A row that passed its checks, with its place among the rows that were sent.
struct Accepted {
    index: usize,
    id: Uuid,
    song: NewSong,
}

/// What one request writes.
struct Batch {
    mode: IngestMode,
    owner: Option<Uuid>,
    /// With their places among the rows that were sent.
    songs: Vec<(usize, NewSong)>,
    ready: Option<ReadyVectors>,
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
        if rows.is_empty() || rows.len() > limits::INGEST_ROWS {
            let problem =
                format!("holds {} rows; 1 to {} are allowed", rows.len(), limits::INGEST_ROWS);
            return Err(Error::invalid("rows", problem));
        }
        if let Some(owner) = owner {
            user::ensure(&self.db, scope, owner, self.clock.now()).await?;
        }
        let (songs, mut outcomes) = self.checked(rows);
        let ready = self.ready_vectors(Kind::Song, &songs).await?;
        let batch = Batch { mode, owner, songs, ready };
        // Somebody else may write one of these rows between our look and our write; then look again.
        for _ in 0..3 {
            let mut tx = self.db.begin(scope).await?;
            let mut attempt = outcomes.clone();
            if self.write(&mut tx, scope, &batch, &mut attempt).await? {
                super::commit(tx).await?;
                self.wake_worker.notify_one();
                outcomes = attempt;
                return Ok(outcomes.into_iter().flatten().collect());
            }
        }
        Err(Error::invalid(
            "rows",
            "are being written by somebody else at the same time; send them again",
        ))
    }

    /// Sorts rows into those that keep to the rules, each external id once, and outcomes for the
    /// rest.
    fn checked(&self, rows: Vec<SongDraft>) -> (Vec<(usize, NewSong)>, Vec<Option<RowOutcome>>) {
        let mut songs: Vec<(usize, NewSong)> = Vec::with_capacity(rows.len());
        let mut outcomes = Vec::with_capacity(rows.len());
        let mut first: HashMap<String, usize> = HashMap::new();
        for (index, row) in rows.into_iter().enumerate() {
            let external_id = row.external_id.clone();
            outcomes.push(match row.validate(&self.settings.song_template) {
                Err(fault) => Some(rejected(external_id, &fault)),
                Ok(song) => match first.get(&song.external_id) {
                    Some(earlier) => Some(duplicate(song.external_id, *earlier)),
                    None => {
                        first.insert(song.external_id.clone(), index);
                        songs.push((index, song));
                        None
                    }
                },
            });
        }
        (songs, outcomes)
    }

    /// Writes the songs and queues what must be embedded; `false` if somebody else was faster.
    async fn write(
        &self,
        tx: &mut Tx,
        scope: Scope,
        batch: &Batch,
        outcomes: &mut [Option<RowOutcome>],
    ) -> Result<bool> {
        let Batch { mode, owner, songs, ready } = batch;
        let now = self.clock.now();
        let names: Vec<&str> = songs.iter().map(|(_, song)| song.external_id.as_str()).collect();
        let present = song::existing(tx, scope, *owner, &names).await?;
        let (mut new, mut known) = (Vec::new(), Vec::new());
        for (index, song) in songs {
            let accepted = |id| Accepted { index: *index, id, song: song.clone() };
            match (present.get(&song.external_id), mode) {
                (Some(_), IngestMode::Insert) => outcomes[*index] = Some(is_there(song)),
                (None, IngestMode::Update) => outcomes[*index] = Some(is_not_there(song)),
                (Some(id), IngestMode::Upsert | IngestMode::Update) => known.push(accepted(*id)),
                (None, IngestMode::Upsert | IngestMode::Insert) => {
                    new.push(accepted(self.clock.new_id()));
                }
            }
        }
        if !song::insert(tx, scope, *owner, &by_id(&new), now).await? {
            return Ok(false);
        }
        let changed = song::update(tx, scope, &by_id(&known), now).await?;
        let rows: Vec<_> = new.iter().chain(&known).map(|row| (row.id, &row.song)).collect();
        if let Some(ready) = ready {
            // Before the tasks, so that none is made for them.
            self.write_ready(tx, scope, Kind::Song, &rows, ready).await?;
        }
        let ids: Vec<Uuid> = rows.iter().map(|(id, _)| *id).collect();
        if task::enqueue(tx, scope, Kind::Song, &ids, now).await? > 0 {
            task::announce(&self.db, tx, scope).await?;
        }
        for row in &new {
            outcomes[row.index] = Some(written(row, RowStatus::Created));
        }
        for row in &known {
            let is_changed = changed.contains(&row.id);
            let status = if is_changed { RowStatus::Updated } else { RowStatus::Unchanged };
            outcomes[row.index] = Some(written(row, status));
        }
        Ok(true)
    }
}

fn by_id(rows: &[Accepted]) -> Vec<(Uuid, &NewSong)> {
    rows.iter().map(|row| (row.id, &row.song)).collect()
}

fn written(row: &Accepted, status: RowStatus) -> RowOutcome {
    RowOutcome {
        external_id: Some(row.song.external_id.clone()),
        id: Some(NodeId { kind: Kind::Song, id: row.id }),
        status,
        fault: None,
    }
}

fn rejected(external_id: Option<String>, fault: &InvalidField) -> RowOutcome {
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

fn is_there(song: &NewSong) -> RowOutcome {
    refused(song, "is there already; the mode `INSERT` only writes new rows")
}

fn is_not_there(song: &NewSong) -> RowOutcome {
    refused(song, "is not there; the mode `UPDATE` only updates present rows")
}

fn refused(song: &NewSong, problem: &str) -> RowOutcome {
    let message = format!("`{}` {problem}", song.external_id);
    RowOutcome {
        external_id: Some(song.external_id.clone()),
        id: None,
        status: RowStatus::Rejected,
        fault: Some(RowFault { field: Some("externalId"), message }),
    }
}
