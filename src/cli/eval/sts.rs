//! `kindred eval sts`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::cli::model::ModelChoice;
use crate::cli::{CliError, CliResult, output, wait};
use crate::config::Config;
use crate::service::eval::{self, StsPair};

#[derive(Debug, Args)]
pub(super) struct Sts {
    /// CSV file; `-` is standard input
    file: PathBuf,

    #[command(flatten)]
    model: ModelChoice,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(command: &Sts, config: &Config) -> CliResult {
    let pairs = read_pairs(command)?;
    let embedder = command.model.find(config)?;
    let bar = wait::bar("Embedding", "pairs", pairs.len() as u64);
    let report = eval::sts(embedder.as_ref(), &pairs, |done| bar.set_position(done as u64)).await?;
    bar.finish_and_clear();
    let model = &embedder.description().model;
    if command.json {
        output::json(&json!({
            "model": model,
            "pairs": report.pairs,
            "spearman": report.spearman,
            "pearson": report.pearson,
            "unknown": report.unknown,
            "truncated": report.truncated,
        }))?;
    } else {
        output::text(&format!("model     {model}"))?;
        output::text(&format!("pairs     {}", report.pairs))?;
        output::text(&format!("Spearman  {:.4}", report.spearman))?;
        output::text(&format!("Pearson   {:.4}", report.pearson))?;
        if report.unknown > 0 {
            output::text(&format!(
                "unknown   {} pairs with a text of no known word",
                report.unknown
            ))?;
        }
        if report.truncated > 0 {
            output::text(&format!("truncated {} texts", report.truncated))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn read_pairs(command: &Sts) -> Result<Vec<StsPair>, CliError> {
    let name = command.file.display().to_string();
    let reader: Box<dyn std::io::Read> = if name == "-" {
        Box::new(std::io::stdin())
    } else {
        let opened = std::fs::File::open(&command.file);
        Box::new(opened.map_err(|error| CliError::File(format!("cannot read `{name}`: {error}")))?)
    };
    let mut rows = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(reader);
    let mut pairs = Vec::new();
    for (index, row) in rows.records().enumerate() {
        let problem = |what: &str| CliError::File(format!("row {} of `{name}` {what}", index + 1));
        let row = row.map_err(|error| problem(&format!("cannot be read: {error}")))?;
        let (Some(first), Some(second), Some(score)) = (row.get(0), row.get(1), row.get(2)) else {
            return Err(problem("has fewer than the columns `sentence1,sentence2,score`"));
        };
        match score.trim().parse::<f64>() {
            Ok(score) if score.is_finite() => {
                pairs.push(StsPair { first: first.to_owned(), second: second.to_owned(), score });
            }
            // Only a header may have a word there.
            Ok(_) | Err(_) if index == 0 => {}
            Ok(_) | Err(_) => {
                return Err(problem(&format!("has the score `{score}`, not a number")));
            }
        }
    }
    Ok(pairs)
}
