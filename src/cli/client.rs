//! How a command reaches the catalogue: it opens the database itself, or, where a server runs on
//! the embedded one, goes through that server. Either way it speaks GraphQL.

use std::time::Duration;

use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use uuid::Uuid;

use super::CliError;
use crate::app::{self, App};
use crate::auth::{Role, Tokens};
use crate::config::Config;
use crate::dev::{DataFolder, SetupError};
use crate::model::Clock;

/// Which server to talk to.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Target {
    /// URL of a running server [default: the one that uses the data folder, or none]
    #[arg(long, value_name = "URL")]
    url: Option<String>,

    /// Token of an administrator for that server [default: one signed with the data folder's secret]
    #[arg(
        long,
        env = "KINDRED_TOKEN",
        hide_env_values = true,
        requires = "url",
        value_name = "TOKEN"
    )]
    token: Option<SecretString>,
}

/// A way to the catalogue.
pub(super) enum Client {
    /// The database is open in this process.
    Here(Box<App>),
    /// A server answers.
    Server { http: reqwest::Client, url: String, token: String },
}

impl Client {
    /// Finds the way: a given server, a given database, the server of the data folder, or the
    /// embedded database itself.
    pub(super) async fn find(target: Target, config: Config) -> Result<Self, CliError> {
        if let Some(url) = target.url {
            let token = match target.token {
                Some(token) => token.expose_secret().to_owned(),
                None => admin_token(&config)?,
            };
            return Self::server(&url, token);
        }
        if config.database_url.is_some() {
            return Ok(Self::Here(Box::new(App::build(config, None).await?)));
        }
        let folder = DataFolder::open(config.data_dir.as_deref())?;
        if let Some(lock) = folder.lock()? {
            return Ok(Self::Here(Box::new(App::build(config, Some(lock)).await?)));
        }
        match folder.running() {
            Some(running) => Self::server(&running.url, admin_token(&config)?),
            None => Err(SetupError::Busy { path: folder.path().to_path_buf() }.into()),
        }
    }

    /// How many bytes of rows one request may have; a server reads 2 MB of a request.
    pub(super) fn most_bytes(&self) -> usize {
        match self {
            Self::Here(_) => usize::MAX,
            Self::Server { .. } => 2 * 1024 * 1024 - 10_000,
        }
    }

    fn server(url: &str, token: String) -> Result<Self, CliError> {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_mins(1))
            .build()
            .map_err(|source| CliError::Unreachable { url: url.to_owned(), source })?;
        Ok(Self::Server { http, url: url.trim_end_matches('/').to_owned(), token })
    }

    /// Runs a request; an error in the answer is an error.
    pub(super) async fn execute(&self, query: &str, variables: Value) -> Result<Value, CliError> {
        let answer = match self {
            Self::Here(app) => {
                let answer = app.execute(app.operator(), query, variables).await;
                serde_json::to_value(answer).map_err(|error| CliError::Answer(error.to_string()))?
            }
            Self::Server { http, url, token } => {
                let body = json!({ "query": query, "variables": variables });
                let unreachable = |source| CliError::Unreachable { url: url.clone(), source };
                let request = http.post(format!("{url}/graphql")).bearer_auth(token).json(&body);
                request.send().await.map_err(unreachable)?.json().await.map_err(unreachable)?
            }
        };
        match answer.pointer("/errors/0/message").and_then(Value::as_str) {
            Some(message) => Err(CliError::Answer(message.to_owned())),
            None => Ok(answer["data"].clone()),
        }
    }
}

fn admin_token(config: &Config) -> Result<String, CliError> {
    let tokens = Tokens::new(&app::secret(config)?);
    let hour = Duration::from_hours(1);
    let token = tokens.issue(Uuid::nil(), Role::Admin, Clock.now(), hour);
    token.map_err(|error| CliError::Usage { message: error.to_string(), hint: None })
}
