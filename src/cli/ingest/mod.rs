//! `kindred ingest`.

mod documents;
mod pump;
mod songs;

use std::path::Path;

use clap::{Args, Subcommand, ValueEnum};

use super::client::Target;
use super::{CliError, CliResult};
use crate::config::Config;

/// Take rows into the catalogue from files
#[derive(Debug, Args)]
pub(super) struct Ingest {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Songs from a CSV or JSON Lines file
    ///
    /// Columns with common names are found by themselves, encodings and delimiters as well. Bad rows
    /// do not stop good ones: each is reported with its line, column and reason. The exit code is 0
    /// when every row was taken, 2 when some were rejected, 1 when the file could not be read.
    Songs(songs::Songs),
    /// Documents from a folder or a file: Markdown, HTML, plain text, JSON Lines
    ///
    /// A file is one document, known by its path below the folder, so that taking the folder again
    /// updates what changed; a line of JSON is one document with the fields `title`, `body`, `url`,
    /// `tags` and `language`, or others with common names. Hidden files are left out. Bad files do not
    /// stop good ones: each is reported with its reason. The exit code is 0 when every document was
    /// taken, 2 when some were rejected, 1 when nothing could be read.
    Documents(documents::Documents),
    /// The demo catalogue that is part of the program
    Demo(Common),
}

#[derive(Debug, Args)]
struct Common {
    /// What to do with rows that are there already, and with rows that are not
    #[arg(long, value_enum, default_value_t = ModeArgument::Upsert)]
    mode: ModeArgument,

    /// Return when everything is embedded and searchable by meaning (the default)
    #[arg(long, overrides_with = "no_wait")]
    wait: bool,

    /// Return when every row is written; embedding goes on in the server
    #[arg(long, overrides_with = "wait")]
    no_wait: bool,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ModeArgument {
    /// Write new rows and update present ones
    Upsert,
    /// Only write new rows
    Insert,
    /// Only update present rows
    Update,
}

impl ModeArgument {
    fn as_str(self) -> &'static str {
        match self {
            Self::Upsert => "UPSERT",
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
        }
    }
}

pub(super) async fn run(command: Ingest, config: Config) -> CliResult {
    match command.what {
        What::Songs(songs) => songs::ingest(songs, config).await,
        What::Documents(documents) => documents::ingest(documents, config).await,
        What::Demo(common) => songs::ingest_demo(common, config).await,
    }
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> CliError {
    CliError::File(format!("cannot {what} `{}`: {error}", path.display()))
}

/// Pairs such as `title=track_name`.
fn mapping(pairs: &[String], hint: &'static str) -> Result<Vec<(String, String)>, CliError> {
    let cut = |pair: &String| match pair.split_once('=') {
        Some((field, column)) => Ok((field.trim().to_owned(), column.trim().to_owned())),
        None => {
            let message = format!("`--map` has `{pair}`, which is not of the form `field=column`");
            Err(CliError::Usage { message, hint: Some(hint) })
        }
    };
    pairs.iter().map(cut).collect()
}

fn encoding(name: &str) -> Result<&'static encoding_rs::Encoding, CliError> {
    encoding_rs::Encoding::for_label(name.as_bytes()).ok_or_else(|| CliError::Usage {
        message: format!("`{name}` is no encoding"),
        hint: Some("encodings are named as on the web: utf-8, windows-1252, utf-16le"),
    })
}
