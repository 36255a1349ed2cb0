//! Waiting until everything that is queued is embedded.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::CliError;
use super::client::Client;
use crate::worker::{Ran, Worker};

const QUEUE: &str = "{ stats { pendingTasks failedTasks } }";
const POLL: Duration = Duration::from_millis(200);

/// Returns when nothing waits any more, and says how many texts could not be embedded.
pub(super) async fn until_embedded(client: &Client) -> Result<i64, CliError> {
    let (pending, _) = queue(client).await?;
    let bar = bar("Embedding", "texts", pending.unsigned_abs());
    match client {
        Client::Here(app) => {
            let worker = Worker::new(app.services.clone());
            loop {
                match worker.run_once().await? {
                    Ran::Tasks(count) => bar.inc(count as u64),
                    Ran::Nothing if queue(client).await?.0 == 0 => break,
                    Ran::Nothing => match worker.obstacle() {
                        Some(message) => {
                            let hint = Some("`kindred doctor` says more");
                            return Err(CliError::Usage { message, hint });
                        }
                        // Another worker has them, or they wait for another try.
                        None => tokio::time::sleep(POLL).await,
                    },
                }
            }
            bar.finish_and_clear();
            app.services.maintain().await?;
        }
        Client::Server { .. } => {
            loop {
                let (left, _) = queue(client).await?;
                bar.set_position(pending.saturating_sub(left).unsigned_abs());
                if left == 0 {
                    break;
                }
                tokio::time::sleep(POLL).await;
            }
            bar.finish_and_clear();
        }
    }
    Ok(queue(client).await?.1)
}

async fn queue(client: &Client) -> Result<(i64, i64), CliError> {
    let stats = client.execute(QUEUE, json!({})).await?;
    let number = |name: &str| stats["stats"][name].as_i64().unwrap_or(0);
    Ok((number("pendingTasks"), number("failedTasks")))
}

/// A bar on the terminal; nothing where standard error is no terminal.
pub(super) fn bar(doing: &'static str, unit: &'static str, total: u64) -> ProgressBar {
    let template = format!("{{msg:10}} {{bar:30}} {{human_pos}} of {{human_len}} {unit} {{eta}}");
    let bar = ProgressBar::new(total).with_message(doing);
    match ProgressStyle::with_template(&template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// A count on the terminal, where the total is not known.
pub(super) fn spinner(doing: &'static str, unit: &'static str) -> ProgressBar {
    let template = format!("{{msg:10}} {{spinner}} {{human_pos}} {unit} {{per_sec}}");
    let bar = ProgressBar::new_spinner().with_message(doing);
    match ProgressStyle::with_template(&template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
