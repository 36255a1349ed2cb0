//! `kindred embed`.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::client::{Client, Target};
use super::{CliResult, output, wait};
use crate::config::Config;
use crate::model::Kind;

/// Embed rows whose vectors are missing or belong to an older text
#[derive(Debug, Args)]
pub(super) struct Embed {
    /// Only this kind [default: all]
    #[arg(long, value_enum)]
    kind: Option<KindArgument>,

    /// Also try again what failed before
    #[arg(long)]
    retry_failed: bool,

    /// Return when everything is queued, not when it is embedded
    #[arg(long)]
    no_wait: bool,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum KindArgument {
    Song,
    Document,
    Chunk,
    Sample,
    Entry,
    Job,
}

impl From<KindArgument> for Kind {
    fn from(kind: KindArgument) -> Self {
        match kind {
            KindArgument::Song => Self::Song,
            KindArgument::Document => Self::Document,
            KindArgument::Chunk => Self::Chunk,
            KindArgument::Sample => Self::Sample,
            KindArgument::Entry => Self::Entry,
            KindArgument::Job => Self::Job,
        }
    }
}

const EMBED: &str = "mutation ($kind: Kind!) { embedMissing(kind: $kind) }";
const RETRY: &str = "mutation { retryFailedTasks }";

pub(super) async fn run(command: Embed, config: Config) -> CliResult {
    let client = Client::find(command.target, config).await?;
    let kinds = command.kind.map_or(Kind::ALL.to_vec(), |kind| vec![kind.into()]);
    let mut queued = 0;
    for kind in kinds {
        let variables = json!({ "kind": kind.as_str().to_uppercase() });
        let answer = client.execute(EMBED, variables).await?;
        queued += answer["embedMissing"].as_i64().unwrap_or(0);
    }
    if command.retry_failed {
        let answer = client.execute(RETRY, json!({})).await?;
        queued += answer["retryFailedTasks"].as_i64().unwrap_or(0);
    }
    let failed = match command.no_wait {
        true => 0,
        false => wait::until_embedded(&client).await?,
    };
    if command.json {
        output::json(&json!({ "queued": queued, "failed": failed }))?;
    } else {
        let what = if command.no_wait { "Queued" } else { "Embedded" };
        output::text(&format!(
            "{what} {} texts, {} failed",
            output::grouped(queued),
            output::grouped(failed)
        ))?;
    }
    Ok(if failed > 0 { ExitCode::from(super::SOME_REJECTED) } else { ExitCode::SUCCESS })
}
