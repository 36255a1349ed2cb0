//! Memory of a server, and how soon it answers.

use std::sync::Arc;
use std::time::Duration;

use crate::Result;
use crate::catalogue::Catalogue;
use crate::measure::{Report, median};
use crate::program::Server;
use crate::search;

const STARTS: usize = 5;
/// Calls of `search::rate`, of 400 searches each.
const BURSTS: usize = 5;

pub(crate) async fn run(catalogue: &mut Catalogue, report: &mut Report) -> Result<()> {
    let mut ready = Vec::new();
    for _ in 0..STARTS {
        ready.push(Server::start(&catalogue.database).await?.ready_ms);
    }
    let server = Arc::new(Server::start(&catalogue.database).await?);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let idle = server.resident_mb();
    let texts = Arc::new(catalogue.texts(100).await?);
    for _ in 0..BURSTS {
        search::rate(&server, &texts, 8).await?;
    }
    report.figure("start until ready, PostgreSQL outside", ms(median(&ready)), "≤ 1 s");
    report.figure("resident memory of an idle server", megabytes(idle), "≤ 110 MB");
    report.figure(
        "resident memory after 2,000 searches by 8 clients",
        megabytes(server.resident_mb()),
        "≤ 110 MB",
    );
    #[cfg(feature = "embedded-db")]
    embedded(report).await?;
    Ok(())
}

#[cfg(feature = "embedded-db")]
async fn embedded(report: &mut Report) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("kindred-bench-{}", std::process::id()));
    let server = Server::start_embedded(&folder).await?;
    report.note("first start with the embedded database and its demo", ms(server.ready_ms));
    server.stop()?;
    let mut ready = Vec::new();
    for _ in 0..3 {
        let server = Server::start_embedded(&folder).await?;
        ready.push(server.ready_ms);
        if ready.len() == 3 {
            let resident = megabytes(server.resident_mb());
            report.note("resident memory with the embedded database", resident);
        }
        server.stop()?;
    }
    report.figure("start until ready, embedded database that exists", ms(median(&ready)), "< 2 s");
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

fn ms(milliseconds: f64) -> String {
    format!("{milliseconds:.0} ms")
}

fn megabytes(value: Option<f64>) -> String {
    value.map_or_else(|| "not known here".to_owned(), |value| format!("{value:.0} MB"))
}
