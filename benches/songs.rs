//! Measures Kindred on a real catalogue of songs: against bare SQL, against exact search, and what
//! it takes of the machine.
//!
//! `cargo bench --bench songs` runs everything, `cargo bench --bench songs -- relevance` one part.
//! `TEST_DATABASE_URL` names a PostgreSQL with pgvector in which databases may be made, and
//! `KINDRED_TEST_DATA` a folder with `songs/spotify_songs.csv` (from `TidyTuesday` 2020-01-21). Both sides
//! of a ratio are measured in turns in the same run, so a busy machine slows both.
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

mod backfill;
mod catalogue;
mod database;
mod embedder;
mod footprint;
mod ingest;
mod local;
mod measure;
mod program;
mod recall;
mod relevance;
mod retrieval;
mod search;
mod statements;

use std::path::{Path, PathBuf};
use std::time::Instant;

use catalogue::Catalogue;
use database::Databases;
use measure::Report;

/// Anything that goes wrong ends the run.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// What can be asked for by name.
const PARTS: [&str; 10] = [
    "ingest",
    "search",
    "recall",
    "footprint",
    "embedder",
    "relevance",
    "backfill",
    "local",
    "retrieval",
    "chunks",
];

#[tokio::main]
async fn main() -> Result<()> {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    if let Some(unknown) = wanted.iter().find(|name| !PARTS.contains(&name.as_str())) {
        return Err(format!("there is no part `{unknown}`; parts are {}", PARTS.join(", ")).into());
    }
    let Ok(url) = std::env::var("TEST_DATABASE_URL") else {
        println!("Skipped: TEST_DATABASE_URL is not set; `scripts/postgres start` prints one");
        return Ok(());
    };
    let Some(songs) = songs_file() else {
        println!("Skipped: KINDRED_TEST_DATA names no folder with songs/spotify_songs.csv");
        return Ok(());
    };
    println!("Using the songs in {}", songs.display());
    let started = Instant::now();
    let mut databases = Databases::open(&url).await?;
    let outcome = run(&mut databases, &songs, &wanted).await;
    databases.drop_all().await?;
    outcome?.print();
    println!("\nTook {:.0} s", started.elapsed().as_secs_f64());
    Ok(())
}

fn songs_file() -> Option<PathBuf> {
    let folder = std::env::var_os("KINDRED_TEST_DATA")?;
    let file = PathBuf::from(folder).join("songs/spotify_songs.csv");
    file.is_file().then_some(file)
}

async fn run(databases: &mut Databases, songs: &Path, wanted: &[String]) -> Result<Report> {
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|part| part == name);
    let mut report = Report::default();
    if is_wanted("local") {
        local::run(databases, &mut report).await?;
    }
    if is_wanted("retrieval") {
        retrieval::run(databases, &mut report).await?;
    }
    if is_wanted("chunks") {
        retrieval::chunks(databases, &mut report).await?;
    }
    if !wanted.is_empty()
        && wanted.iter().all(|part| ["local", "retrieval", "chunks"].contains(&part.as_str()))
    {
        // They need no songs.
        return Ok(report);
    }
    let database = databases.create("songs").await?;
    if is_wanted("ingest") {
        ingest::run(databases, &database, songs, &mut report).await?;
    } else {
        program::ingest(&database, songs, None)?;
    }
    let mut catalogue = Catalogue::open(&database).await?;
    if is_wanted("search") {
        search::run(&mut catalogue, &mut report).await?;
    }
    if is_wanted("recall") {
        recall::run(&mut catalogue, &mut report).await?;
    }
    if is_wanted("footprint") {
        footprint::run(&mut catalogue, &mut report).await?;
    }
    if is_wanted("embedder") {
        embedder::run(&mut catalogue, &mut report).await?;
    }
    if is_wanted("relevance") {
        relevance::run(databases, &mut catalogue, songs, &mut report).await?;
    }
    // Last, because it drops the index.
    if is_wanted("backfill") {
        backfill::run(&mut catalogue, &mut report).await?;
    }
    Ok(report)
}
