//! `kindred serve` and `kindred work`.

use std::process::ExitCode;

use clap::Args;
use tokio::sync::watch;

use super::{CliError, CliResult, output};
use crate::app::{self, App, RunsWorker, reachable};
use crate::config::Config;
use crate::dev::{DataFolder, FolderLock};
use crate::worker::Worker;

/// Answer requests, and embed what is queued
#[derive(Debug, Default, Args)]
pub(super) struct Serve {
    /// Leave embedding to `kindred work`
    #[arg(long)]
    no_worker: bool,

    /// Start with an empty catalogue instead of the demo songs
    #[arg(long)]
    no_demo: bool,
}

pub(super) async fn run(command: Serve, config: Config) -> CliResult {
    // Before anything is opened: without a secret nobody could be answered.
    app::secret(&config)?;
    let lock = own_folder(&config)?;
    let app = App::build(config, lock).await?;
    let listener = app.listen().await?;
    let address = listener.local_addr().map_err(crate::app::StartError::Serve)?;
    let demo = if command.no_demo { 0 } else { app.seed_demo().await? };
    greet(&app, &reachable(address), demo)?;
    let runs_worker = if command.no_worker { RunsWorker::No } else { RunsWorker::Yes };
    app.serve(listener, runs_worker, stop_signal()).await?;
    output::note("Stopped");
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn work(config: Config) -> CliResult {
    if config.database_url.is_none() {
        return Err(CliError::Usage {
            message:
                "the embedded database belongs to one process, and `kindred serve` embeds by itself"
                    .to_owned(),
            hint: Some("set `DATABASE_URL` to let workers and servers share a database"),
        });
    }
    let app = App::build(config, None).await?;
    output::note("Embedding what is queued");
    Worker::new(app.services.clone()).run(stop_signal()).await;
    app.services.db().close().await;
    output::note("Stopped");
    Ok(ExitCode::SUCCESS)
}

/// The data folder for this process alone, where the embedded database is used.
fn own_folder(config: &Config) -> Result<Option<FolderLock>, CliError> {
    if config.database_url.is_some() {
        return Ok(None);
    }
    let folder = DataFolder::open(config.data_dir.as_deref())?;
    if let Some(lock) = folder.lock()? {
        return Ok(Some(lock));
    }
    let who = match folder.running() {
        Some(running) => format!("process {} serves it at {}", running.pid, running.url),
        None => "another `kindred` uses it".to_owned(),
    };
    Err(CliError::Usage {
        message: format!("the data folder `{}` is taken: {who}", folder.path().display()),
        hint: Some("stop that one, or give this one a folder of its own with --data-dir"),
    })
}

fn greet(app: &App, url: &str, demo: usize) -> Result<(), CliError> {
    output::text(&format!("Kindred {} is ready", env!("CARGO_PKG_VERSION")))?;
    output::text(&format!("  Search page  {url}/"))?;
    if app.config.is_development() {
        output::text(&format!("  GraphiQL     {url}/graphiql"))?;
    }
    output::text(&format!("  GraphQL      {url}/graphql"))?;
    if demo > 0 {
        output::text(&format!("  Catalogue    {demo} demo songs, loaded just now"))?;
    }
    if app.config.is_development()
        && let Ok(token) = app.admin_token()
    {
        output::text("  Admin token  good for 24 hours; `kindred token --role admin` makes more")?;
        output::text(&format!("  {token}"))?;
    }
    Ok(())
}

/// Turns true when the system asks the process to end.
fn stop_signal() -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        asked_to_stop().await;
        sender.send_replace(true);
        // A second request ends the process at once.
        asked_to_stop().await;
        std::process::exit(130);
    });
    receiver
}

/// Returns when the system asks the process to end.
#[cfg(unix)]
pub(super) async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// Returns when the system asks the process to end.
#[cfg(not(unix))]
pub(super) async fn asked_to_stop() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
