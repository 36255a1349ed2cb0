//! `kindred stats`.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::client::{Client, Target};
use super::{CliResult, output};
use crate::config::Config;

/// Show what the catalogue holds
#[derive(Debug, Args)]
pub(super) struct Stats {
    /// Print the result as JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    target: Target,
}

const QUERY: &str = "{ stats { kinds { kind rows embedded space dimensions hasIndex } pendingTasks failedTasks \
    database { serverVersion pgvectorVersion sizeBytes tables { name rows tableBytes indexBytes } } \
    usage { day space backend model requests texts tokens truncated cost } \
    queryCache { hits misses hitRate entries bytes capacityBytes } } }";

pub(super) async fn run(command: Stats, config: Config) -> CliResult {
    let client = Client::find(command.target, config).await?;
    let stats = client.execute(QUERY, json!({})).await?["stats"].clone();
    if command.json {
        output::json(&stats)?;
        return Ok(ExitCode::SUCCESS);
    }
    let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
    let number = |value: &Value| output::grouped(value.as_i64().unwrap_or(0));
    output::text(&format!(
        "{:<10} {:>10} {:>10}  {:<24} index",
        "kind", "rows", "embedded", "space"
    ))?;
    for kind in stats["kinds"].as_array().into_iter().flatten() {
        let index = if kind["hasIndex"].as_bool() == Some(true) { "hnsw" } else { "-" };
        let name = text(&kind["kind"]).to_lowercase();
        let (rows, embedded) = (number(&kind["rows"]), number(&kind["embedded"]));
        output::text(&format!(
            "{name:<10} {rows:>10} {embedded:>10}  {:<24} {index}",
            text(&kind["space"])
        ))?;
    }
    output::text(&format!(
        "queue      {} pending, {} failed",
        number(&stats["pendingTasks"]),
        number(&stats["failedTasks"])
    ))?;
    for usage in stats["usage"].as_array().into_iter().flatten() {
        output::text(&spent(usage))?;
    }
    let database = &stats["database"];
    let size = output::size(database["sizeBytes"].as_i64().unwrap_or(0));
    let (server, pgvector) = (text(&database["serverVersion"]), text(&database["pgvectorVersion"]));
    output::text(&format!("database   PostgreSQL {server}, pgvector {pgvector}, {size}"))?;
    Ok(ExitCode::SUCCESS)
}

/// What a day cost, in one line.
fn spent(usage: &Value) -> String {
    let number = |field: &str| output::grouped(usage[field].as_i64().unwrap_or(0));
    let text = |field: &str| usage[field].as_str().unwrap_or_default().to_owned();
    let cost = usage["cost"].as_f64().unwrap_or(0.0);
    let (day, space) = (text("day"), text("space"));
    let (requests, texts, tokens) = (number("requests"), number("texts"), number("tokens"));
    format!(
        "usage      {day}  {space:<24} {requests} requests, {texts} texts, {tokens} tokens, ${cost:.4}"
    )
}
