//! `kindred eval`.

mod judgments;
mod retrieval;
mod sts;
mod table;

use clap::{Args, Subcommand};

use super::{CliError, CliResult};
use crate::config::Config;

/// Measure how good a model or the search is
///
/// Without a subcommand it is `kindred eval retrieval`.
#[derive(Debug, Args)]
#[command(subcommand_negates_reqs = true)]
pub(super) struct Eval {
    #[command(subcommand)]
    what: Option<What>,

    #[command(flatten)]
    retrieval: Option<retrieval::Retrieval>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Compare a model's similarities with people's, over rows of `sentence1,sentence2,score`
    ///
    /// Prints Spearman's and Pearson's correlation, from -1 to 1. A header row is skipped.
    Sts(sts::Sts),

    /// Search a test collection in the layout of BEIR, and compare what is found with its judgements
    ///
    /// The documents go into a database of their own, which is removed afterwards: on the server of
    /// `DATABASE_URL`, or else embedded in a temporary folder. Every query is run as `hybridSearch` runs it,
    /// by words alone, by meaning alone, and by both with each fusion; a `*` marks what a search gets that
    /// says nothing else.
    Retrieval(retrieval::Retrieval),

    /// Search the catalogue for every query that was judged with `recordJudgment`, and compare
    Judgments(judgments::Judgments),
}

pub(super) async fn run(command: Eval, config: Config) -> CliResult {
    match (command.what, command.retrieval) {
        (Some(What::Sts(command)), None) => sts::run(&command, &config).await,
        (Some(What::Retrieval(command)), None) | (None, Some(command)) => {
            retrieval::run(&command, &config).await
        }
        (Some(What::Judgments(command)), None) => judgments::run(command, config).await,
        (Some(_), Some(_)) => Err(CliError::Usage {
            message: "options of `kindred eval` stand before a subcommand".to_owned(),
            hint: Some("put them behind it, as in `kindred eval retrieval --corpus …`"),
        }),
        (None, None) => Err(CliError::Usage {
            message: "nothing is named to measure".to_owned(),
            hint: Some("`kindred eval --help` shows what can be"),
        }),
    }
}
