//! `kindred token`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use uuid::Uuid;

use super::{CliError, CliResult, output};
use crate::app;
use crate::auth::{Role, Tokens};
use crate::config::Config;
use crate::model::Clock;

/// Print a token for the API, and nothing else, on standard output
#[derive(Debug, Args)]
pub(super) struct Token {
    /// What the token allows
    #[arg(long, value_enum)]
    role: Role,

    /// Id of the person [default: a new one; for an administrator all zeros]
    #[arg(long, value_name = "UUID")]
    sub: Option<Uuid>,

    /// How long it is good for, such as `30m`, `12h` or `7d`
    #[arg(long, default_value = "1h", value_parser = humantime::parse_duration, value_name = "TIME")]
    ttl: Duration,

    /// Print an object with the token, the id and the time it ends
    #[arg(long)]
    json: bool,
}

/// Tokens that live longer are refused: there is no way to take a token back.
const MAX_TTL: Duration = Duration::from_hours(366 * 24);

pub(super) fn run(command: &Token, config: &Config) -> CliResult {
    if command.ttl.is_zero() || command.ttl > MAX_TTL {
        return Err(CliError::Usage {
            message: "`--ttl` must be above 0 and at most 366 days".to_owned(),
            hint: None,
        });
    }
    let sub = command.sub.unwrap_or_else(|| match command.role {
        Role::User => Clock.new_id(),
        Role::Admin => Uuid::nil(),
    });
    let now = Clock.now();
    let token = Tokens::new(&app::secret(config)?).issue(sub, command.role, now, command.ttl);
    let token =
        token.map_err(|error| CliError::Usage { message: error.to_string(), hint: None })?;
    if command.json {
        output::json(&json!({ "token": token, "sub": sub, "expiresAt": now + command.ttl }))?;
    } else {
        output::text(&token)?;
    }
    Ok(ExitCode::SUCCESS)
}
