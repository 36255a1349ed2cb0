//! The commands. Each is a file; what can be piped has `--json`.
//!
//! To add a command: write its file, list it in `Command` and in `dispatch`.

mod client;
mod doctor;
mod embed;
mod eval;
mod ingest;
mod migrate;
mod model;
mod output;
mod serve;
mod space;
mod stats;
mod token;
mod vector;
mod wait;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::app::StartError;
use crate::config::{Config, LogFormat};
use crate::dev::SetupError;

/// Semantic search and recommendations over your own catalogue, through GraphQL
#[derive(Debug, Parser)]
#[command(name = "kindred", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    config: Config,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer requests, and embed what is queued (the default)
    Serve(serve::Serve),
    /// Embed what is queued, without answering requests
    Work,
    /// Take rows into the catalogue from a file
    Ingest(ingest::Ingest),
    /// Embed rows whose vectors are missing or belong to an older text
    Embed(embed::Embed),
    /// Turn texts into vectors: one text a line in, one JSON object a line out
    Vector(vector::Vector),
    /// Measure how good a model or the search is
    Eval(eval::Eval),
    /// Change the embedding model without downtime
    Space(space::Space),
    /// Bring the tables up to date, or remove them
    Migrate(migrate::Migrate),
    /// Print a token for the API
    Token(token::Token),
    /// Print the GraphQL schema
    Schema,
    /// Show what the catalogue holds
    Stats(stats::Stats),
    /// Check the database, the model and the settings, and say what to do
    Doctor(doctor::Doctor),
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error("{message}")]
    Usage { message: String, hint: Option<&'static str> },
    #[error("{0}")]
    File(String),
    #[error("the server at {url} cannot be reached: {source}")]
    Unreachable { url: String, source: reqwest::Error },
    #[error("the server answered: {0}")]
    Answer(String),
    #[error("cannot write the output: {0}")]
    Output(#[from] std::io::Error),
    #[error(transparent)]
    Import(#[from] crate::service::import::Error),
    #[error(transparent)]
    Collection(#[from] crate::service::eval::beir::BeirError),
    #[error(transparent)]
    Service(#[from] crate::service::Error),
}

type CliResult = Result<ExitCode, CliError>;

/// The exit code when some rows were rejected and the others were written.
const SOME_REJECTED: u8 = 2;

/// Validating a query recurses as deep as its selections nest; the guard bounds that, and this is
/// insurance.
const STACK_BYTES: usize = 8 * 1024 * 1024;

/// Runs the command of the command line.
///
/// It is not `async`, so that all of the program is compiled in this crate and none of it once more in
/// the binary.
pub fn main() -> ExitCode {
    crate::tls::install();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK_BYTES)
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(run()),
        Err(error) => {
            output::note(&format!("error: cannot start: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn run() -> ExitCode {
    let cli = Cli::parse();
    start_logging(&cli.config, cli.command.as_ref());
    match dispatch(cli).await {
        Ok(code) => code,
        // Whoever reads our output has enough of it: that is no failure.
        Err(CliError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(error) => {
            output::note(&format!("error: {error}"));
            if let CliError::Usage { hint: Some(hint), .. } = &error {
                output::note(&format!("hint: {hint}"));
            }
            ExitCode::FAILURE
        }
    }
}

async fn dispatch(Cli { command, config }: Cli) -> CliResult {
    match command.unwrap_or(Command::Serve(serve::Serve::default())) {
        Command::Serve(command) => serve::run(command, config).await,
        Command::Work => serve::work(config).await,
        Command::Ingest(command) => ingest::run(command, config).await,
        Command::Embed(command) => embed::run(command, config).await,
        Command::Vector(command) => vector::run(command, config).await,
        Command::Eval(command) => eval::run(command, config).await,
        Command::Space(command) => space::run(command, config).await,
        Command::Migrate(command) => migrate::run(&command, &config).await,
        Command::Token(command) => token::run(&command, &config),
        Command::Schema => {
            output::text(crate::graphql::sdl().trim_end())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Stats(command) => stats::run(command, config).await,
        Command::Doctor(command) => doctor::run(&command, &config).await,
    }
}

/// Logs go to standard error, so that standard output can be piped.
fn start_logging(config: &Config, command: Option<&Command>) {
    let is_serving = matches!(command, None | Some(Command::Serve(_) | Command::Work));
    let level = if is_serving { "info" } else { "warn" };
    // Statements and answers of providers hold what people wrote, and what our libraries do at start is
    // noise.
    let usual =
        format!("{level},sqlx=error,sea_orm_migration=warn,pglite_oxide=warn,async_openai=off");
    let filter = config.log.as_deref().unwrap_or(&usual);
    let filter = tracing_subscriber::EnvFilter::try_new(filter)
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(usual));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let outcome = match config.log_format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    // A logger that is there already is as good.
    drop(outcome);
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Cli::command().debug_assert();
    }
}
