//! The whole of `kindred ingest` against a bare `COPY` of the same rows and the same index build.

use std::path::Path;
use std::time::Instant;

use futures::TryStreamExt;
use sqlx::{Executor, PgConnection};
use uuid::Uuid;

use crate::Result;
use crate::catalogue::Catalogue;
use crate::database::{Database, Databases};
use crate::measure::{Report, median, ms_since};
use crate::program;

const ROUNDS: usize = 3;

/// The rows of a catalogue in PostgreSQL's binary format.
struct Dump {
    tables: Vec<(String, Vec<u8>)>,
}

/// Leaves the songs in `database`.
pub(crate) async fn run(
    databases: &mut Databases,
    database: &Database,
    songs: &Path,
    report: &mut Report,
) -> Result<()> {
    let (mut ratios, mut peaks) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let target = match round {
            0 => database.clone(),
            _ => databases.create("ingest").await?,
        };
        let ingested = program::ingest(&target, songs, None)?;
        let copied = copy(databases, &target).await?;
        println!("ingest {:.2} s, bare {copied:.2} s", ingested.seconds);
        // Load comes and goes within minutes: only what ran side by side is compared.
        ratios.push(ingested.seconds / copied);
        peaks.extend(ingested.peak_mb);
    }
    let ratio = format!("{:.2}", median(&ratios));
    report.figure("ingest / bare COPY with the same index", ratio, "≤ 3");
    let peak = peaks.iter().copied().fold(0.0, f64::max);
    report.figure("peak memory of ingest", format!("{peak:.0} MB"), "≤ 150 MB");
    Ok(())
}

/// Seconds to load the rows of `source` into tables of the same kind and to build the index.
async fn copy(databases: &mut Databases, source: &Database) -> Result<f64> {
    let target = databases.create("bare").await?;
    program::prepare(&target)?;
    let mut target = Catalogue::open(&target).await?;
    let mut source = Catalogue::open(source).await?;
    let leaf = source.leaf.clone();
    let dump = Dump::read(&mut source.connection, &leaf, &target.leaf, target.space).await?;
    let started = Instant::now();
    for (table, bytes) in dump.tables {
        load(&mut target.connection, &table, bytes).await?;
    }
    build_index(&mut target).await?;
    Ok(ms_since(started) / 1_000.0)
}

impl Dump {
    /// Reads the rows as they would stand in the leaf of another space.
    async fn read(
        connection: &mut PgConnection,
        from: &str,
        into: &str,
        space: Uuid,
    ) -> Result<Self> {
        let content = "id, kind, owner_id, external_id, title, body, source_hash, created_at, \
                       updated_at, deleted_at";
        let embedding = "content_id, embedding, source_hash, created_at";
        let sources = [
            (format!("content ({content})"), format!("SELECT {content} FROM content")),
            ("song".to_owned(), "SELECT * FROM song".to_owned()),
            (
                format!("{into} (kind, space_id, {embedding})"),
                format!("SELECT kind, '{space}'::uuid, {embedding} FROM {from}"),
            ),
        ];
        let mut tables = Vec::new();
        for (table, select) in sources {
            let statement = format!("COPY ({select}) TO STDOUT (FORMAT binary)");
            let parts = connection.copy_out_raw(&statement).await?;
            let bytes = parts.try_fold(Vec::new(), |mut all, part| async move {
                all.extend_from_slice(&part);
                Ok(all)
            });
            tables.push((table, bytes.await?));
        }
        Ok(Self { tables })
    }
}

async fn load(connection: &mut PgConnection, table: &str, bytes: Vec<u8>) -> Result<()> {
    let statement = format!("COPY {table} FROM STDIN (FORMAT binary)");
    let mut copy = connection.copy_in_raw(&statement).await?;
    copy.send(bytes).await?;
    copy.finish().await?;
    Ok(())
}

/// The index of `store::index::build` with the program's default settings.
async fn build_index(target: &mut Catalogue) -> Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let leaf = &target.leaf;
    let statement = format!(
        "SET maintenance_work_mem = '256MB'; \
         SET max_parallel_maintenance_workers = {}; \
         CREATE INDEX {leaf}_hnsw_idx ON {leaf} \
         USING hnsw ((embedding::halfvec({})) halfvec_cosine_ops) \
         WITH (m = 24, ef_construction = 200);",
        (cores - 1).min(8),
        target.dimensions
    );
    target.connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(statement))).await?;
    Ok(())
}
