//! What a server takes when it has the model: one session for searches, and a second one since documents came.

use std::fmt::Write;
use std::path::Path;

use serde_json::json;

use super::{MODEL, Place};
use crate::Result;
use crate::database::Databases;
use crate::measure::Report;
use crate::program::Server;

/// Texts that are searched by, and those that are embedded as songs after that.
const SEARCHES: usize = 2_000;
const DOCUMENTS: usize = 1_000;

pub(super) async fn run(
    place: &Place,
    databases: &mut Databases,
    texts: &[String],
    report: &mut Report,
) -> Result<()> {
    let server = start(place, databases).await?;
    report.note("resident memory of a server before the first text", mb(&server));
    // A number makes each text a new one, so none is remembered.
    let numbered = texts.iter().cycle().enumerate().map(|(number, text)| {
        let numbered = format!("{number} {text}");
        numbered.chars().take(1_900).collect::<String>()
    });
    for (done, text) in numbered.clone().take(SEARCHES).enumerate() {
        let query =
            "query ($text: String!) { recommend(query: $text, first: 5) { info { space } } }";
        server.execute(query, json!({ "text": text })).await?;
        if done == 0 {
            report.note("after 1 search", mb(&server));
        }
    }
    report.figure("after 2,000 searches, int8 MiniLM loaded", mb(&server), "≤ 180 MB");
    let songs = std::env::temp_dir().join(format!("kindred-bench-{}.jsonl", std::process::id()));
    let ingested = ingest(&server, &songs, numbered.take(DOCUMENTS));
    std::fs::remove_file(&songs)?;
    ingested?;
    report.figure("after 1,000 documents more, loaded twice", mb(&server), "≤ 180 MB");
    // Three seconds without documents, and some for the second session to leave.
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    report.figure("5 s later, loaded once again", mb(&server), "≤ 180 MB");
    Ok(())
}

async fn start(place: &Place, databases: &mut Databases) -> Result<Server> {
    let settings = [
        ("EMBEDDER", "local".as_ref()),
        ("LOCAL_MODEL", MODEL.as_ref()),
        ("LOCAL_MODEL_DIR", place.models.as_os_str()),
        ("ORT_DYLIB_PATH", place.runtime.as_os_str()),
    ];
    let database = databases.create("local").await?;
    Server::start_with(&database, &settings).await
}

/// Writes the texts as songs, and waits until the server has embedded them.
fn ingest(server: &Server, file: &Path, texts: impl Iterator<Item = String>) -> Result<()> {
    let mut lines = String::new();
    for (number, text) in texts.enumerate() {
        let song = json!({ "externalId": number.to_string(), "title": format!("Song {number}"),
            "band": "The Bench", "description": text });
        writeln!(lines, "{song}")?;
    }
    std::fs::write(file, lines)?;
    server.ingest(file)
}

fn mb(server: &Server) -> String {
    server.resident_mb().map_or("not known here".to_owned(), |mb| format!("{mb:.0} MB"))
}
