//! `kindred space configure`.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use super::{Common, ask};
use crate::cli::{CliResult, output};
use crate::config::Config;

#[derive(Debug, Args)]
pub(super) struct Configure {
    /// Name of the space
    name: String,

    /// How `hybridSearch` fuses words and meaning
    #[arg(long, value_enum)]
    fusion: Option<FusionArgument>,

    /// Share of meaning in `hybridSearch`, from 0 to 1
    #[arg(long, value_name = "SHARE")]
    semantic_ratio: Option<f64>,

    /// Tokens of a chunk of a document at most, from 16 to 8192
    #[arg(long, value_name = "COUNT")]
    chunk_tokens: Option<i32>,

    /// Tokens that a chunk repeats of the one before, up to half of a chunk
    #[arg(long, value_name = "COUNT")]
    chunk_overlap: Option<i32>,

    /// Settings that go back to the server's choice
    #[arg(long, value_enum, value_delimiter = ',', value_name = "SETTINGS")]
    reset: Vec<SettingArgument>,

    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FusionArgument {
    ReciprocalRank,
    Weighted,
    RelativeScore,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SettingArgument {
    Fusion,
    SemanticRatio,
    ChunkTokens,
    ChunkOverlap,
}

impl FusionArgument {
    /// As the API names it.
    fn name(self) -> &'static str {
        match self {
            Self::ReciprocalRank => "RECIPROCAL_RANK",
            Self::Weighted => "WEIGHTED",
            Self::RelativeScore => "RELATIVE_SCORE",
        }
    }
}

impl SettingArgument {
    /// As the API names it.
    fn name(self) -> &'static str {
        match self {
            Self::Fusion => "fusion",
            Self::SemanticRatio => "semanticRatio",
            Self::ChunkTokens => "chunkTokens",
            Self::ChunkOverlap => "chunkOverlap",
        }
    }
}

/// The request with the arguments that were named and no others: one that is not there stays as it is,
/// and one that is `null` goes back.
fn request(arguments: &Map<String, Value>) -> String {
    let types = [
        ("fusion", "Fusion"),
        ("semanticRatio", "Float"),
        ("chunkTokens", "Int"),
        ("chunkOverlap", "Int"),
    ];
    let named = types.iter().filter(|(name, _)| arguments.contains_key(*name));
    let variables: String = named.clone().map(|(name, of)| format!(", ${name}: {of}")).collect();
    let passed: String = named.map(|(name, _)| format!(", {name}: ${name}")).collect();
    format!(
        "mutation ($space: String!{variables}) {{ configureSpace(space: $space{passed}) \
         {{ space {{ name fusion semanticRatio chunkTokens chunkOverlap }} }} }}"
    )
}

/// Changes the settings that were named and shows all of them.
pub(super) async fn run(command: Configure, config: Config) -> CliResult {
    let mut variables = Map::from_iter([("space".to_owned(), json!(command.name))]);
    let given = [
        ("fusion", command.fusion.map(|fusion| json!(fusion.name()))),
        ("semanticRatio", command.semantic_ratio.map(|ratio| json!(ratio))),
        ("chunkTokens", command.chunk_tokens.map(|tokens| json!(tokens))),
        ("chunkOverlap", command.chunk_overlap.map(|tokens| json!(tokens))),
    ];
    let given = given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    variables.extend(given);
    variables.extend(command.reset.iter().map(|what| (what.name().to_owned(), Value::Null)));
    let request = request(&variables);
    let (_, answer) = ask(&request, Value::Object(variables), &command.common, config).await?;
    let space = &answer["configureSpace"]["space"];
    if command.common.json {
        output::json(space)?;
        return Ok(ExitCode::SUCCESS);
    }
    let shown = |name: &str| match &space[name] {
        Value::Null => "default".to_owned(),
        Value::String(text) => text.to_lowercase().replace('_', "-"),
        other => other.to_string(),
    };
    output::text(&format!(
        "`{}`: fusion {}, semantic ratio {}, chunk tokens {}, chunk overlap {}",
        command.name,
        shown("fusion"),
        shown("semanticRatio"),
        shown("chunkTokens"),
        shown("chunkOverlap")
    ))?;
    Ok(ExitCode::SUCCESS)
}
