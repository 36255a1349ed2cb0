//! `kindred space configure`.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::json;

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
            Self::Fusion => "FUSION",
            Self::SemanticRatio => "SEMANTIC_RATIO",
            Self::ChunkTokens => "CHUNK_TOKENS",
            Self::ChunkOverlap => "CHUNK_OVERLAP",
        }
    }
}

const CONFIGURE: &str = "mutation ($space: String!, $fusion: Fusion, $ratio: Float, $tokens: Int, $overlap: Int, \
    $reset: [SpaceSetting!]) { configureSpace(space: $space, fusion: $fusion, semanticRatio: $ratio, \
    chunkTokens: $tokens, chunkOverlap: $overlap, reset: $reset) { space { name fusion semanticRatio chunkTokens \
    chunkOverlap } } }";

/// Changes the settings that were named and shows all of them.
pub(super) async fn run(command: Configure, config: Config) -> CliResult {
    let reset: Vec<&str> = command.reset.iter().map(|setting| setting.name()).collect();
    let variables = json!({
        "space": command.name,
        "fusion": command.fusion.map(FusionArgument::name),
        "ratio": command.semantic_ratio,
        "tokens": command.chunk_tokens,
        "overlap": command.chunk_overlap,
        "reset": reset,
    });
    let (_, answer) = ask(CONFIGURE, variables, &command.common, config).await?;
    let space = &answer["configureSpace"]["space"];
    if command.common.json {
        output::json(space)?;
        return Ok(ExitCode::SUCCESS);
    }
    let shown = |name: &str| match space[name].as_str() {
        Some(text) => text.to_lowercase().replace('_', "-"),
        None if space[name].is_null() => "default".to_owned(),
        None => space[name].to_string(),
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
