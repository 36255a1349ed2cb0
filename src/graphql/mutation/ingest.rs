//! `ingestSongs` and `ingestDocuments`.

use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use uuid::Uuid;

use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::input::document::DocumentInput;
use crate::graphql::input::song::SongInput;
use crate::service::{self, Error, RowOutcome};

#[derive(Default)]
pub(in crate::graphql) struct IngestMutation;

/// What to do with rows that are there already, and with rows that are not.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "service::IngestMode")]
enum IngestMode {
    /// Write new rows and update present ones.
    Upsert,
    /// Only write new rows; present ones are rejected.
    Insert,
    /// Only update present rows; new ones are rejected.
    Update,
}

/// What became of a row.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "service::RowStatus")]
pub(super) enum RowStatus {
    /// It is new.
    Created,
    /// It was there and is different now.
    Updated,
    /// It was there already, exactly so; nothing is embedded again.
    Unchanged,
    /// An earlier row of the same request has the same external id; that one counts.
    Duplicate,
    /// It was not written; see `message`.
    Rejected,
}

/// What became of one row.
#[derive(SimpleObject)]
struct IngestRow {
    /// Place of the row in the request, from 0.
    index: i32,
    /// What became of it.
    status: RowStatus,
    /// Id of the row in the catalogue, if it is there.
    id: Option<ID>,
    /// Your own id of the row.
    external_id: Option<String>,
    /// The field that is wrong.
    field: Option<String>,
    /// What is wrong, with which value, and what is allowed.
    message: Option<String>,
}

/// What became of the rows of a request.
#[derive(SimpleObject)]
struct IngestPayload {
    /// One result per row, in the order they were sent.
    rows: Vec<IngestRow>,
    /// How many rows are new.
    created: i32,
    /// How many rows changed.
    updated: i32,
    /// How many rows were there already, exactly so.
    unchanged: i32,
    /// How many rows repeat an earlier row of the request.
    duplicates: i32,
    /// How many rows were not written.
    rejected: i32,
}

#[Object]
impl IngestMutation {
    /// Writes songs into the catalogue. For administrators.
    ///
    /// Bad rows are reported and do not stop good ones; the good ones are written together or, if
    /// the request fails, not at all. Full text finds a song at once, meaning as soon as its
    /// `embeddingStatus` is `READY`.
    async fn ingest_songs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The songs, 1 to 250 of them.")] rows: Vec<SongInput>,
        #[graphql(
            desc = "What to do with songs that are there already.",
            default_with = "IngestMode::Upsert"
        )]
        mode: IngestMode,
        #[graphql(
            desc = "Id of the user whom the songs belong to; default is the shared catalogue."
        )]
        owner_id: Option<ID>,
    ) -> Result<IngestPayload> {
        let owner = owner(owner_id)?;
        let rows = rows.into_iter().map(Into::into).collect();
        let outcomes = ctx.services().ingest_songs(ctx.viewer(), rows, mode.into(), owner).await?;
        Ok(IngestPayload::new(outcomes))
    }

    /// Writes documents into the catalogue, each cut into chunks. For administrators.
    ///
    /// Bad documents are reported and do not stop good ones; the good ones are written together or, if
    /// the request fails, not at all. Chunks whose text did not change keep their ids and vectors.
    /// Full text finds the chunks at once, meaning as soon as their `embeddingStatus` is `READY`.
    async fn ingest_documents(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The documents, 1 to 50 of them.")] rows: Vec<DocumentInput>,
        #[graphql(
            desc = "What to do with documents that are there already.",
            default_with = "IngestMode::Upsert"
        )]
        mode: IngestMode,
        #[graphql(
            desc = "Id of the user whom the documents belong to; default is the shared catalogue."
        )]
        owner_id: Option<ID>,
    ) -> Result<IngestPayload> {
        let owner = owner(owner_id)?;
        let rows = rows.into_iter().map(Into::into).collect();
        let outcomes =
            ctx.services().ingest_documents(ctx.viewer(), rows, mode.into(), owner).await?;
        Ok(IngestPayload::new(outcomes))
    }
}

pub(super) fn owner(id: Option<ID>) -> std::result::Result<Option<Uuid>, Error> {
    id.map(|id| id.parse().map_err(|_| malformed_owner(&id))).transpose()
}

pub(super) fn malformed_owner(id: &ID) -> Error {
    let shown: String = id.chars().take(80).collect();
    Error::invalid("ownerId", format!("must be a UUID, but is `{shown}`"))
}

impl IngestPayload {
    fn new(outcomes: Vec<RowOutcome>) -> Self {
        let count = |status| {
            let rows = outcomes.iter().filter(|row| row.status == status).count();
            i32::try_from(rows).unwrap_or(i32::MAX)
        };
        Self {
            created: count(service::RowStatus::Created),
            updated: count(service::RowStatus::Updated),
            unchanged: count(service::RowStatus::Unchanged),
            duplicates: count(service::RowStatus::Duplicate),
            rejected: count(service::RowStatus::Rejected),
            rows: outcomes.into_iter().enumerate().map(IngestRow::new).collect(),
        }
    }
}

impl IngestRow {
    fn new((index, outcome): (usize, RowOutcome)) -> Self {
        let (field, message) = match outcome.fault {
            Some(fault) => (fault.field.map(str::to_owned), Some(fault.message)),
            None => (None, None),
        };
        Self {
            index: i32::try_from(index).unwrap_or(i32::MAX),
            status: outcome.status.into(),
            id: outcome.id.map(|id| id.to_string().into()),
            external_id: outcome.external_id,
            field,
            message,
        }
    }
}
