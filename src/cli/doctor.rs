//! `kindred doctor`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::{CliResult, output};
use crate::app;
use crate::config::{Config, Environment};
use crate::dev::{DataFolder, Running};
use crate::embed::{Embedders, Embedding};
use crate::model::Scope;
use crate::store;

/// Check the database, the model and the settings, and say what to do
///
/// Changes nothing. Ends with an error when something is wrong.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// What one check found.
struct Finding {
    check: &'static str,
    is_good: bool,
    message: String,
    hint: Option<String>,
}

impl Finding {
    fn good(check: &'static str, message: impl Into<String>) -> Self {
        Self { check, is_good: true, message: message.into(), hint: None }
    }

    fn bad(check: &'static str, message: impl Into<String>, hint: &str) -> Self {
        Self { check, is_good: false, message: message.into(), hint: Some(hint.to_owned()) }
    }
}

/// A check that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(8);

pub(super) async fn run(command: &Doctor, config: &Config) -> CliResult {
    let findings =
        vec![environment(config), secret(config), model(config).await, database(config).await];
    let is_good = findings.iter().all(|finding| finding.is_good);
    if command.json {
        let checks: Vec<_> = findings
            .iter()
            .map(|f| json!({ "check": f.check, "ok": f.is_good, "message": f.message, "hint": f.hint }))
            .collect();
        output::json(&json!({ "ok": is_good, "checks": checks }))?;
    } else {
        for finding in &findings {
            let mark = if finding.is_good { "ok  " } else { "FAIL" };
            output::text(&format!("{mark} {:<12} {}", finding.check, finding.message))?;
            if let Some(hint) = &finding.hint {
                output::text(&format!("     hint: {hint}"))?;
            }
        }
    }
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn environment(config: &Config) -> Finding {
    let message = match config.environment() {
        Environment::Development => {
            "development: everybody may read the shared catalogue, GraphiQL is on"
        }
        Environment::Production => {
            "production: reading needs a token, GraphiQL is for administrators"
        }
    };
    Finding::good("environment", message)
}

fn secret(config: &Config) -> Finding {
    if config.jwt_secret.is_none() && config.is_development() {
        return Finding::good("secret", "the data folder's own");
    }
    match app::secret(config) {
        Ok(_) => Finding::good("secret", "`JWT_SECRET` is long enough"),
        Err(error) => Finding::bad(
            "secret",
            error.to_string(),
            "set `JWT_SECRET` to the output of `openssl rand -hex 32`",
        ),
    }
}

async fn model(config: &Config) -> Finding {
    let embedders = match Embedders::new(app::embed_settings(config)) {
        Ok(embedders) => embedders,
        Err(error) => return Finding::bad("model", error.to_string(), "choose another `EMBEDDER`"),
    };
    let embedder = embedders.default_model();
    let description = embedder.description().clone();
    match embedder.embed_query("upbeat rock music").await {
        Ok(Embedding { vector: Some(_), .. }) => Finding::good(
            "model",
            format!("{}, {} dimensions", description.model, description.dimensions),
        ),
        Ok(_) => {
            Finding::bad("model", "the model knows no English word", "choose another `EMBEDDER`")
        }
        Err(error) => Finding::bad("model", error.to_string(), "choose another `EMBEDDER`"),
    }
}

async fn database(config: &Config) -> Finding {
    if config.database_url.is_none() {
        return embedded(config).await;
    }
    match tokio::time::timeout(PATIENCE, versions(config)).await {
        Ok(finding) => finding,
        Err(_) => Finding::bad(
            "database",
            "does not answer",
            "check `DATABASE_URL` and whether the server runs",
        ),
    }
}

async fn versions(config: &Config) -> Finding {
    let unreachable = |error: &dyn std::fmt::Display| {
        Finding::bad(
            "database",
            error.to_string(),
            "check `DATABASE_URL` and whether the server runs",
        )
    };
    let opened = match app::open(config, None) {
        Ok(opened) => opened,
        Err(error) => return unreachable(&error),
    };
    let one = store::Options { min_connections: 0, max_connections: 1, ..opened.options.clone() };
    let db = match store::connect(&one).await {
        Ok(db) => db,
        Err(error) => return unreachable(&app::StartError::Store(error)),
    };
    match store::health::versions(&db, Scope::system()).await {
        Ok((server, Some(pgvector))) => {
            Finding::good("database", format!("PostgreSQL {server}, pgvector {pgvector}"))
        }
        Ok((server, None)) => Finding::bad(
            "database",
            format!("PostgreSQL {server}, but the extension `vector` is not created"),
            "run `kindred migrate`; it needs pgvector 0.8 or newer installed on the server",
        ),
        Err(error) => unreachable(&app::StartError::Store(error)),
    }
}

async fn embedded(config: &Config) -> Finding {
    let check = "database";
    let folder = match DataFolder::open(config.data_dir.as_deref()) {
        Ok(folder) => folder,
        Err(error) => {
            return Finding::bad(
                check,
                error.to_string(),
                "give a folder you may write to with --data-dir",
            );
        }
    };
    let place = folder.path().display().to_string();
    match folder.lock() {
        Ok(Some(_)) if folder.path().join("postgres").exists() => {
            Finding::good(check, format!("embedded, in `{place}`; no server runs"))
        }
        Ok(Some(_)) => {
            Finding::good(check, format!("embedded; `kindred serve` will create it in `{place}`"))
        }
        Ok(None) => match folder.running() {
            Some(running) => running_server(&running).await,
            None => Finding::bad(
                check,
                format!("`{place}` is in use by a server that is starting"),
                "wait a moment",
            ),
        },
        Err(error) => {
            Finding::bad(check, error.to_string(), "give a folder you may write to with --data-dir")
        }
    }
}

async fn running_server(running: &Running) -> Finding {
    let url = format!("{}/health/ready", running.url);
    let client = reqwest::Client::builder().timeout(PATIENCE).build();
    let answer = match client {
        Ok(client) => client.get(&url).send().await,
        Err(error) => Err(error),
    };
    match answer {
        Ok(answer) if answer.status().is_success() => Finding::good(
            "database",
            format!("embedded; process {} serves it at {}", running.pid, running.url),
        ),
        Ok(answer) => Finding::bad(
            "database",
            format!("the server at {} answers {}", running.url, answer.status()),
            "look into its log",
        ),
        Err(error) => Finding::bad(
            "database",
            format!("the server at {} does not answer: {error}", running.url),
            "restart it",
        ),
    }
}
