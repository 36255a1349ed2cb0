//! `kindred space`.

mod configure;
mod import;
mod progress;
mod show;
mod vector_rows;

use std::io::{IsTerminal, stdin};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::{Client, Target};
use super::embed::KindArgument;
use super::{CliError, CliResult, output};
use crate::config::Config;
use crate::embed::Backend;
use crate::model::Kind;

/// Change the embedding model without downtime
///
/// A space holds vectors of one model. Make one beside the one that answers, fill it, compare the two,
/// promote it, and drop the old one when nobody wants to go back.
#[derive(Debug, Args)]
pub(super) struct Space {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show the spaces, what they hold and how far they are
    List(Common),
    /// Make a space and begin to fill it
    Create(Create),
    /// Change how a space ranks and how documents are cut for it, or show it
    Configure(configure::Configure),
    /// Say what filling a space would take, without spending anything
    Plan(Named),
    /// Fill a space with what it lacks, or go on after `cancel`
    Backfill(Backfill),
    /// Stop filling a space, and let no row that is written reach it any more
    Cancel(Named),
    /// Show what two spaces answer to the same queries
    Compare(Compare),
    /// Let a space answer, in one moment
    Promote(Promote),
    /// Go back to the space that answered before
    Rollback(Rollback),
    /// Remove a space with all its vectors for good
    Drop(Remove),
    /// Take vectors from a JSON Lines file, so that their texts need not be embedded again
    ///
    /// Each line has `id` or `externalId`, `vector`, and `sourceHash` or `sourceText`: what the row is
    /// embedded from, or its SHA-256. Bad lines do not stop good ones: each is reported with its number
    /// and reason. The exit code is 0 when every vector was taken, 2 when some were rejected, 1 when the
    /// file could not be read.
    Import(import::Import),
}

#[derive(Debug, Args)]
struct Common {
    /// Print the result as JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Args)]
struct Kinds {
    /// Only these kinds [default: all that the space holds]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "KINDS")]
    kinds: Vec<KindArgument>,
}

impl Kinds {
    /// As the API takes them.
    fn variable(&self) -> Value {
        match self.kinds.is_empty() {
            true => Value::Null,
            false => self.kinds.iter().map(|kind| enum_name(Kind::from(*kind))).collect(),
        }
    }
}

/// A kind as the API names it.
fn enum_name(kind: Kind) -> Value {
    kind.as_str().to_uppercase().into()
}

#[derive(Debug, Args)]
struct Named {
    /// Name of the space
    name: String,

    #[command(flatten)]
    kinds: Kinds,

    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Create {
    /// A new name
    name: String,

    /// What runs the model
    #[arg(long, value_enum)]
    backend: Backend,

    /// Name of the model [default: the backend's own]
    #[arg(long, value_name = "NAME")]
    model: Option<String>,

    /// Numbers of one vector [default: the model's own]
    #[arg(long, value_name = "COUNT")]
    dimensions: Option<i32>,

    /// Make it without filling it; nothing is spent before `backfill`
    #[arg(long, conflicts_with_all = ["wait", "texts_per_second"])]
    no_backfill: bool,

    #[command(flatten)]
    filling: Filling,

    #[command(flatten)]
    kinds: Kinds,

    #[command(flatten)]
    common: Common,
}

/// How a space is filled.
#[derive(Debug, Args)]
struct Filling {
    /// How fast it may be filled [default: as fast as the model works]
    #[arg(long, value_name = "COUNT")]
    texts_per_second: Option<i32>,

    /// Return when it is filled
    #[arg(long)]
    wait: bool,
}

#[derive(Debug, Args)]
struct Backfill {
    /// Name of the space
    name: String,

    #[command(flatten)]
    filling: Filling,

    #[command(flatten)]
    kinds: Kinds,

    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Compare {
    /// Name of the space to compare with
    to: String,

    /// What to look for, up to 20 queries
    #[arg(required = true, value_name = "QUERY")]
    queries: Vec<String>,

    /// Name of the other space [default: the one that answers]
    #[arg(long, value_name = "NAME")]
    from: Option<String>,

    /// What kind of rows to find
    #[arg(long, value_enum, default_value = "song")]
    kind: KindArgument,

    /// How many results of each space
    #[arg(long, default_value_t = 10, value_name = "COUNT")]
    first: i32,

    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Promote {
    /// Name of the space
    name: String,

    /// Also promote a space that lacks vectors
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    kinds: Kinds,

    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Rollback {
    /// Also go back to a space that lacks vectors
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    kinds: Kinds,

    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Remove {
    /// Name of the space
    name: String,

    /// Confirm that the vectors may go; without it you are asked, on a terminal
    #[arg(long)]
    yes: bool,

    #[command(flatten)]
    common: Common,
}

const CREATE: &str = "mutation ($name: String!, $backend: String!, $model: String, $dimensions: Int, $kinds: [Kind!], \
    $backfill: Boolean!, $rate: Int) { createSpace(name: $name, backend: $backend, model: $model, dimensions: $dimensions, \
    kinds: $kinds, backfill: $backfill, textsPerSecond: $rate) { space { name backend model dimensions } } }";
const PLAN: &str = "query ($name: String!, $kinds: [Kind!]) { planBackfill(space: $name, kinds: $kinds) \
    { rows unchanged tokens cost diskBytes seconds isMeasured sampleSize } }";
const BACKFILL: &str = "mutation ($name: String!, $kinds: [Kind!], $rate: Int) \
    { backfillSpace(space: $name, kinds: $kinds, textsPerSecond: $rate) { space { name } } }";
const CANCEL: &str = "mutation ($name: String!, $kinds: [Kind!]) \
    { cancelBackfill(space: $name, kinds: $kinds) { removed } }";
const COMPARE: &str = "query ($queries: [String!]!, $from: String, $to: String!, $kind: Kind!, $first: Int!) \
    { compareSpaces(queries: $queries, from: $from, to: $to, kind: $kind, first: $first) { from to meanOverlap \
    meanRankCorrelation comparisons { query overlap rankCorrelation fromHits { id title similarity } \
    toHits { id title similarity } } } }";
const PROMOTE: &str = "mutation ($name: String!, $kinds: [Kind!], $force: Boolean!) \
    { promoteSpace(space: $name, kinds: $kinds, force: $force) { kinds spaces { name } } }";
const ROLLBACK: &str = "mutation ($kinds: [Kind!], $force: Boolean!) \
    { rollbackSpace(kinds: $kinds, force: $force) { kinds spaces { name } } }";
const DROP: &str = "mutation ($name: String!) { dropSpace(space: $name) { name } }";

pub(super) async fn run(command: Space, config: Config) -> CliResult {
    match command.what {
        What::List(common) => show::list(common, config).await,
        What::Create(command) => create(command, config).await,
        What::Configure(command) => configure::run(command, config).await,
        What::Plan(command) => {
            let variables = json!({ "name": command.name, "kinds": command.kinds.variable() });
            let (_, answer) = ask(PLAN, variables, &command.common, config).await?;
            show::plan(&answer["planBackfill"], command.common.json)
        }
        What::Backfill(command) => backfill(command, config).await,
        What::Cancel(command) => cancel(command, config).await,
        What::Compare(command) => compare(command, config).await,
        What::Promote(command) => {
            let (kinds, force) = (command.kinds.variable(), command.force);
            let variables = json!({ "name": command.name, "kinds": kinds, "force": force });
            let (_, answer) = ask(PROMOTE, variables, &command.common, config).await?;
            show::switched(&answer["promoteSpace"], command.common.json)
        }
        What::Rollback(command) => {
            let variables = json!({ "kinds": command.kinds.variable(), "force": command.force });
            let (_, answer) = ask(ROLLBACK, variables, &command.common, config).await?;
            show::switched(&answer["rollbackSpace"], command.common.json)
        }
        What::Drop(command) => remove(command, config).await,
        What::Import(command) => import::run(command, config).await,
    }
}

/// Runs one request, and keeps the way to the catalogue for more.
async fn ask(
    query: &str,
    variables: Value,
    common: &Common,
    config: Config,
) -> Result<(Client, Value), CliError> {
    let client = Client::find(common.target.clone(), config).await?;
    let answer = client.execute(query, variables).await?;
    Ok((client, answer))
}

async fn create(command: Create, config: Config) -> CliResult {
    let variables = json!({
        "name": command.name,
        "backend": command.backend.as_str(),
        "model": command.model,
        "dimensions": command.dimensions,
        "kinds": command.kinds.variable(),
        "backfill": !command.no_backfill,
        "rate": command.filling.texts_per_second,
    });
    let (client, answer) = ask(CREATE, variables, &command.common, config).await?;
    let space = &answer["createSpace"]["space"];
    if command.filling.wait {
        return progress::until_filled(&client, &command.name, command.common.json).await;
    }
    if command.common.json {
        output::json(space)?;
    } else {
        let text = |name: &str| space[name].as_str().unwrap_or_default().to_owned();
        let (name, model, dimensions) = (text("name"), text("model"), &space["dimensions"]);
        output::text(&format!("Made `{name}` for {model}, {dimensions} dimensions"))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn backfill(command: Backfill, config: Config) -> CliResult {
    let (kinds, rate) = (command.kinds.variable(), command.filling.texts_per_second);
    let variables = json!({ "name": command.name, "kinds": kinds, "rate": rate });
    let (client, answer) = ask(BACKFILL, variables, &command.common, config).await?;
    if command.filling.wait {
        return progress::until_filled(&client, &command.name, command.common.json).await;
    }
    if command.common.json {
        output::json(&answer["backfillSpace"]["space"])?;
    } else {
        output::text(&format!("Filling `{}`", command.name))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn cancel(command: Named, config: Config) -> CliResult {
    let variables = json!({ "name": command.name, "kinds": command.kinds.variable() });
    let (_, answer) = ask(CANCEL, variables, &command.common, config).await?;
    let removed = answer["cancelBackfill"]["removed"].as_i64().unwrap_or(0);
    if command.common.json {
        output::json(&json!({ "name": command.name, "removed": removed }))?;
    } else {
        let removed = output::grouped(removed);
        output::text(&format!(
            "Canceled `{}`; {removed} queued texts are forgotten",
            command.name
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn compare(command: Compare, config: Config) -> CliResult {
    let variables = json!({
        "queries": command.queries,
        "from": command.from,
        "to": command.to,
        "kind": enum_name(command.kind.into()),
        "first": command.first,
    });
    let (_, answer) = ask(COMPARE, variables, &command.common, config).await?;
    show::comparison(&answer["compareSpaces"], command.common.json)
}

async fn remove(command: Remove, config: Config) -> CliResult {
    if !command.yes {
        confirm(&command.name)?;
    }
    let variables = json!({ "name": command.name });
    let (_, answer) = ask(DROP, variables, &command.common, config).await?;
    if command.common.json {
        output::json(&answer["dropSpace"])?;
    } else {
        output::text(&format!("Dropped `{}`", command.name))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Lets somebody at a terminal type the name; nobody else can say yes like that.
fn confirm(name: &str) -> Result<(), CliError> {
    if !stdin().is_terminal() {
        let message = format!("dropping `{name}` removes its vectors for good");
        return Err(CliError::Usage { message, hint: Some("pass `--yes`") });
    }
    output::note(&format!(
        "This removes the vectors of `{name}` for good. Type its name to go on:"
    ));
    let mut typed = String::new();
    stdin().read_line(&mut typed)?;
    match typed.trim() == name {
        true => Ok(()),
        false => Err(CliError::Usage { message: "nothing was dropped".to_owned(), hint: None }),
    }
}
