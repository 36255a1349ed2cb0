//! `kindred eval judgments`.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::table::{self, Line};
use crate::cli::client::{Client, Target};
use crate::cli::embed::KindArgument;
use crate::cli::{CliResult, output};
use crate::config::Config;
use crate::model::Kind;
use crate::model::hit::Fusion;

const EVALUATE: &str = "query ($kind: Kind!, $space: String, $k: Int!, $queries: Int!) {
    evaluate(kinds: [$kind], space: $space, k: $k, queries: $queries) { space k queries judgments
        modes { mode fusion semanticRatio isDefault ndcg map mrr recall } } }";

#[derive(Debug, Args)]
pub(super) struct Judgments {
    /// What is searched
    #[arg(long, value_enum, default_value_t = KindArgument::Chunk, value_name = "KIND")]
    kind: KindArgument,

    /// Name of the embedding space [default: the one that answers for the kind]
    #[arg(long, value_name = "NAME")]
    space: Option<String>,

    /// How many results nDCG looks at
    #[arg(short, long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100), value_name = "COUNT")]
    k: u32,

    /// How many judged queries are run at most
    #[arg(long = "most-queries", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200), value_name = "COUNT")]
    queries: u32,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    target: Target,
}

pub(super) async fn run(command: Judgments, config: Config) -> CliResult {
    let client = Client::find(command.target.clone(), config).await?;
    let variables = json!({
        "kind": Kind::from(command.kind).as_str().to_uppercase(),
        "space": command.space,
        "k": command.k,
        "queries": command.queries,
    });
    let answer = client.execute(EVALUATE, variables).await?;
    let evaluation = &answer["evaluate"];
    if command.json {
        output::json(evaluation)?;
        return Ok(ExitCode::SUCCESS);
    }
    let space = evaluation["space"].as_str().unwrap_or_default();
    let (queries, judgments) = (&evaluation["queries"], &evaluation["judgments"]);
    output::text(&format!("{space}: {queries} queries, {judgments} judgements"))?;
    let modes = evaluation["modes"].as_array().map_or(&[][..], Vec::as_slice);
    table::print(command.k as usize, modes.iter().map(line))?;
    Ok(ExitCode::SUCCESS)
}

fn line(mode: &Value) -> Line {
    let figure = |name: &str| mode[name].as_f64().unwrap_or_default();
    let fusion = mode["fusion"].as_str().unwrap_or_default().to_lowercase();
    Line {
        fusion: Fusion::ALL.into_iter().find(|known| known.as_str() == fusion),
        semantic_ratio: figure("semanticRatio"),
        is_default: mode["isDefault"] == true,
        figures: ["ndcg", "map", "mrr", "recall"].map(figure),
    }
}
