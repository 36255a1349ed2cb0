//! `kindred migrate`.

use std::process::ExitCode;

use clap::Args;

use super::{CliError, CliResult, output};
use crate::app::{self, StartError};
use crate::config::Config;
use crate::dev::DataFolder;
use crate::store;

/// Bring the tables up to date, or remove them
#[derive(Debug, Args)]
pub(super) struct Migrate {
    /// Remove every table of Kindred with all its data
    #[arg(long, requires = "yes")]
    down: bool,

    /// Confirm that the data may go
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(command: &Migrate, config: &Config) -> CliResult {
    let lock = match config.database_url {
        Some(_) => None,
        None => {
            let folder = DataFolder::open(config.data_dir.as_deref())?;
            Some(folder.lock()?.ok_or_else(|| {
                CliError::Usage {
                    message:
                        "a server uses the embedded database, and it has brought it up to date"
                            .to_owned(),
                    hint: Some("stop the server first"),
                }
            })?)
        }
    };
    let opened = app::open(config, lock)?;
    let outcome = match command.down {
        true => store::rollback_all(&opened.options).await,
        false => store::migrate(&opened.options).await,
    };
    outcome.map_err(StartError::Store)?;
    output::note(if command.down { "Every table is gone" } else { "The tables are up to date" });
    Ok(ExitCode::SUCCESS)
}
