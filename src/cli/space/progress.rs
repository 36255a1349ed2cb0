//! Waiting until a space is filled.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use super::show::{SPACES, list_of};
use crate::cli::client::Client;
use crate::cli::{CliError, CliResult, SOME_REJECTED, output, wait};
use crate::worker::{Ran, Worker};

const POLL: Duration = Duration::from_millis(200);
/// Between two looks at how far a space is; each counts its rows.
const LOOK: Duration = Duration::from_secs(1);

/// How far a space is, over all its kinds.
struct Standing {
    rows: i64,
    embedded: i64,
    failed: i64,
    is_filling: bool,
}

/// Shows a bar until a space is filled; without a server the filling is done here.
pub(super) async fn until_filled(client: &Client, name: &str, is_json: bool) -> CliResult {
    let first = standing(client, name).await?;
    let bar = wait::bar("Filling", "texts", first.rows.unsigned_abs());
    bar.set_position(first.embedded.unsigned_abs());
    bar.reset_eta();
    let mut now = first;
    while now.is_filling {
        match client {
            Client::Here(app) => work(&Worker::new(app.services.clone())).await?,
            Client::Server { .. } => tokio::time::sleep(LOOK).await,
        }
        now = standing(client, name).await?;
        bar.set_length(now.rows.unsigned_abs());
        bar.set_position(now.embedded.unsigned_abs());
    }
    bar.finish_and_clear();
    if let Client::Here(app) = client {
        app.services.maintain().await?;
    }
    report(name, &now, is_json)?;
    Ok(if now.failed > 0 { ExitCode::from(SOME_REJECTED) } else { ExitCode::SUCCESS })
}

/// Works for a while.
async fn work(worker: &Worker) -> Result<(), CliError> {
    let until = tokio::time::Instant::now() + LOOK;
    while tokio::time::Instant::now() < until {
        match worker.run_once().await? {
            Ran::Tasks(_) => {}
            // Another worker has them, or they are not due yet, or it is done.
            Ran::Nothing => {
                tokio::time::sleep(POLL).await;
                return Ok(());
            }
        }
    }
    Ok(())
}

async fn standing(client: &Client, name: &str) -> Result<Standing, CliError> {
    let answer = client.execute(SPACES, json!({})).await?;
    let space = list_of(&answer["embeddingSpaces"]).find(|space| space["name"] == name);
    let Some(space) = space else {
        return Err(CliError::Answer(format!("the space `{name}` was dropped meanwhile")));
    };
    let held: Vec<&Value> = list_of(&space["holds"]).collect();
    let sum = |field: &str| held.iter().filter_map(|held| held[field].as_i64()).sum();
    Ok(Standing {
        rows: sum("rows"),
        embedded: sum("embedded"),
        failed: sum("failed"),
        is_filling: held.iter().any(|held| held["state"] == "FILLING"),
    })
}

fn report(name: &str, now: &Standing, is_json: bool) -> Result<(), CliError> {
    let Standing { rows, embedded, failed, .. } = now;
    if is_json {
        let result = json!({ "name": name, "rows": rows, "embedded": embedded, "failed": failed });
        return Ok(output::json(&result)?);
    }
    output::text(&format!(
        "Filled `{name}`: {} of {} rows are embedded, {} failed",
        output::grouped(*embedded),
        output::grouped(*rows),
        output::grouped(*failed)
    ))?;
    Ok(())
}
