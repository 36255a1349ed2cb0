//! What the tests stand on: a server like the program's own, with a database of its own.

pub(crate) mod catalogue;
pub(crate) mod client;
pub(crate) mod database;
pub(crate) mod embedders;
pub(crate) mod tokens;
pub(crate) mod why;

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use clap::Parser;
use kindred::app::{App, RunsWorker, reachable};
use kindred::auth::{Role, Tokens};
use kindred::config::Config;
use kindred::embed::{Embedder, Embedders, Reranker};
use kindred::graphql;
use kindred::model::viewer::AnonymousReads;
use kindred::model::{Clock, Scope};
use kindred::service::{IndexPolicy, QueuePolicy, Services, Settings, Tiers};
use kindred::store::index::IndexBuild;
use kindred::worker::Worker;
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use uuid::Uuid;

use client::Client;
use database::Database;

/// Signs the tokens of every test server.
pub(crate) const SECRET: &str = "a-secret-for-tests-that-is-long-enough-to-be-taken";
/// Longer than anything that is waited for; what takes longer never comes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The program reads its settings from a command line, and so do the tests.
#[derive(Parser)]
struct CommandLine {
    #[command(flatten)]
    config: Config,
}

/// Wraps the embedder of a server into one that misbehaves.
type Wrap = Box<dyn FnOnce(Arc<dyn Embedder>) -> Arc<dyn Embedder> + Send>;

/// A server to be started.
#[derive(Default)]
pub(crate) struct Plan {
    arguments: Vec<String>,
    wrap: Option<Wrap>,
    has_tiers: bool,
    beside: Vec<Arc<dyn Embedder>>,
    reranker: Option<Arc<dyn Reranker>>,
    runs_worker: bool,
}

impl Plan {
    /// Settings as on the command line.
    pub(crate) fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    /// Puts an embedder in front of the server's own.
    pub(crate) fn embedder<E: Embedder + 'static>(
        mut self,
        wrap: impl FnOnce(Arc<dyn Embedder>) -> Arc<E> + Send + 'static,
    ) -> Self {
        self.wrap = Some(Box::new(move |inner| wrap(inner)));
        self
    }

    /// Lets a slower model answer for every kind, and the server's own give each row a vector at once.
    pub(crate) fn tiers<E: Embedder + 'static>(
        mut self,
        slow: impl FnOnce(Arc<dyn Embedder>) -> Arc<E> + Send + 'static,
    ) -> Self {
        self.has_tiers = true;
        self.embedder(slow)
    }

    /// Lets the server know a further model.
    pub(crate) fn model(mut self, embedder: Arc<dyn Embedder>) -> Self {
        self.beside.push(embedder);
        self
    }

    /// Gives the server a cross-encoder.
    pub(crate) fn reranker(mut self, reranker: Arc<dyn Reranker>) -> Self {
        self.reranker = Some(reranker);
        self
    }

    /// Embeds what is queued by itself, as `kindred serve` does.
    pub(crate) fn with_worker(mut self) -> Self {
        self.runs_worker = true;
        self
    }

    pub(crate) async fn start(self) -> TestApp {
        TestApp::run(self).await
    }
}

/// A running server. Dropping it stops it and removes its database.
pub(crate) struct TestApp {
    pub(crate) url: String,
    pub(crate) services: Services,
    /// Name of the database on the server; `None` if it is embedded.
    pub(crate) database: Option<String>,
    tokens: Tokens,
    runtime: Handle,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
    http: reqwest::Client,
}

/// What the thread of a server says once it listens.
struct Started {
    url: String,
    services: Services,
    database: Option<String>,
    runtime: Handle,
}

impl TestApp {
    /// A server in development with an empty catalogue. Nothing is embedded until `run_queue`.
    pub(crate) async fn start() -> Self {
        Plan::default().start().await
    }

    pub(crate) fn plan() -> Plan {
        Plan::default()
    }

    /// A server with the small catalogue of the tests, embedded.
    pub(crate) async fn with_songs() -> Self {
        let app = Self::start().await;
        app.songs(&catalogue::songs()).await;
        app
    }

    async fn run(plan: Plan) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (sender, started) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("server".to_owned())
            .spawn(move || serve(plan, sender, stopped))
            .unwrap();
        let Ok(Started { url, services, database, runtime }) = started.await else {
            let message = thread.join().err();
            let text = message.as_ref().and_then(|panic| panic.downcast_ref::<String>());
            panic!("the server did not start: {}", text.map_or("no message", String::as_str));
        };
        kindred::tls::install();
        Self {
            url,
            services,
            database,
            tokens: Tokens::new(&SecretString::from(SECRET)),
            runtime,
            stop,
            thread: Some(thread),
            http: reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap(),
        }
    }

    pub(crate) fn as_admin(&self) -> Client {
        let hour = Duration::from_hours(1);
        let token = self.tokens.issue(user_id("admin"), Role::Admin, Clock.now(), hour).unwrap();
        self.with_token(&token)
    }

    /// A user; the same name is always the same user.
    pub(crate) fn as_user(&self, name: &str) -> Client {
        let hour = Duration::from_hours(1);
        let token = self.tokens.issue(user_id(name), Role::User, Clock.now(), hour).unwrap();
        self.with_token(&token)
    }

    pub(crate) fn anonymous(&self) -> Client {
        Client::new(self.http.clone(), &self.url, None)
    }

    pub(crate) fn with_token(&self, token: &str) -> Client {
        Client::new(self.http.clone(), &self.url, Some(token))
    }

    /// Embeds everything that is queued.
    pub(crate) async fn run_queue(&self) {
        let worker = Worker::new(self.services.clone());
        self.on_server(async move { worker.run_until_idle().await }).await.unwrap();
    }

    /// Ingests songs into the shared catalogue and embeds them. Returns their ids, in order.
    pub(crate) async fn songs(&self, songs: &[Value]) -> Vec<String> {
        let ids = self.ingest(songs, None).await;
        self.run_queue().await;
        ids
    }

    /// As [`Self::songs`], but the songs belong to a user.
    pub(crate) async fn songs_of(&self, owner: &str, songs: &[Value]) -> Vec<String> {
        let ids = self.ingest(songs, Some(user_id(owner))).await;
        self.run_queue().await;
        ids
    }

    /// Ingests songs without embedding them.
    pub(crate) async fn ingest(&self, songs: &[Value], owner: Option<Uuid>) -> Vec<String> {
        let mutation = "mutation ($rows: [SongInput!]!, $owner: ID) {
            ingestSongs(rows: $rows, ownerId: $owner) { rejected rows { id message } } }";
        let mut ids = Vec::with_capacity(songs.len());
        for rows in songs.chunks(250) {
            let variables = json!({ "rows": rows, "owner": owner });
            let answer = self.as_admin().query(mutation, variables).await;
            let payload = &answer.data()["ingestSongs"];
            assert_eq!(payload["rejected"], 0, "{payload}");
            ids.extend(texts(&payload["rows"], "id"));
        }
        ids
    }

    /// Runs a statement of the test's own.
    pub(crate) async fn sql(&self, statement: &'static str) {
        let db = self.services.db().clone();
        self.on_server(async move {
            let mut tx = db.begin(Scope::system()).await.unwrap();
            sqlx::raw_sql(statement).execute(&mut *tx).await.unwrap();
            tx.commit().await.unwrap();
        })
        .await;
    }

    /// The rows of a statement of the test's own, as JSON.
    pub(crate) async fn rows(&self, statement: &str) -> Vec<Value> {
        let db = self.services.db().clone();
        let statement = format!("SELECT row_to_json(row) FROM ({statement}) AS row");
        self.on_server(async move {
            let mut tx = db.begin(Scope::system()).await.unwrap();
            sqlx::query_scalar(sqlx::AssertSqlSafe(statement)).fetch_all(&mut *tx).await.unwrap()
        })
        .await
    }

    /// Services like the server's own, on its database, with another embedder.
    pub(crate) async fn services_with(&self, embedder: Arc<dyn Embedder>) -> Services {
        self.services_of(embedder, settings()).await
    }

    /// As [`Self::services_with`], with settings of the test's own.
    pub(crate) async fn services_of(
        &self,
        embedder: Arc<dyn Embedder>,
        settings: Settings,
    ) -> Services {
        let db = self.services.db().clone();
        let embedders = Embedders::of(self.services.embedders().settings().clone(), embedder);
        self.on_server(async move { Services::start(db, embedders, settings).await }).await.unwrap()
    }

    /// Runs something where the connections of the server live.
    pub(crate) async fn on_server<F>(&self, future: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send,
    {
        self.runtime.spawn(future).await.unwrap()
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            let outcome = thread.join();
            assert!(outcome.is_ok() || std::thread::panicking(), "the server panicked");
        }
    }
}

/// Runs a server on a thread and a runtime of its own, so that dropping it ends everything.
fn serve(plan: Plan, sender: oneshot::Sender<Started>, stopped: watch::Receiver<bool>) {
    let database = Database::create();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_stack_size(8 * 1024 * 1024)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut app = App::build(config(&plan.arguments, &database), None).await.unwrap();
        if plan.arguments.iter().any(|argument| argument == "--embedder") {
            app.services = in_own_space(&app.services).await;
            app.schema = graphql::schema(app.services.clone());
        }
        if plan.wrap.is_some() || !plan.beside.is_empty() {
            let own = app.services.embedder().clone();
            let embedder = plan.wrap.map_or(own.clone(), |wrap| wrap(own));
            app.services = wrapped(&app.services, &embedder, &plan.beside, plan.has_tiers).await;
            app.schema = graphql::schema(app.services.clone());
        }
        if let Some(reranker) = plan.reranker {
            app.services = with_reranker(&app.services, reranker).await;
            app.schema = graphql::schema(app.services.clone());
        }
        let listener = app.listen().await.unwrap();
        let started = Started {
            url: reachable(listener.local_addr().unwrap()),
            services: app.services.clone(),
            database: database.name(),
            runtime: Handle::current(),
        };
        assert!(sender.send(started).is_ok(), "the test has gone away");
        let runs_worker = if plan.runs_worker { RunsWorker::Yes } else { RunsWorker::No };
        app.serve(listener, runs_worker, stopped).await.unwrap();
    });
    runtime.shutdown_timeout(PATIENCE);
    drop(database);
}

/// Services with another model; with tiers it answers for every kind.
async fn wrapped(
    services: &Services,
    embedder: &Arc<dyn Embedder>,
    beside: &[Arc<dyn Embedder>],
    has_tiers: bool,
) -> Services {
    let start = async || {
        let embedders = Embedders::of(services.embedders().settings().clone(), embedder.clone());
        let embedders = beside.iter().cloned().fold(embedders, Embedders::with);
        let tiers = if has_tiers { Tiers::StaticFirst } else { Tiers::Off };
        let settings = Settings { tiers, index: services.settings().index, ..settings() };
        Services::start(services.db().clone(), embedders, settings).await.unwrap()
    };
    let started = start().await;
    if !has_tiers {
        return started;
    }
    let mut tx = services.db().begin(Scope::system()).await.unwrap();
    let promote =
        "WITH held AS (INSERT INTO space_kind (space_id, kind, state, started_at, finished_at)
            SELECT embedding_space.id, active_space.kind, 'current', now(), now()
            FROM embedding_space, active_space WHERE name = $1
            ON CONFLICT (space_id, kind) DO UPDATE SET state = 'current', finished_at = now())
        UPDATE active_space SET previous_space_id = space_id, space_id = embedding_space.id
        FROM embedding_space WHERE name = $1";
    let model = &embedder.description().model;
    sqlx::query(promote).bind(model).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    // What is known of spaces is remembered for a while.
    start().await
}

/// Services whose own model answers for every kind, instead of the one that the template was made with.
async fn in_own_space(services: &Services) -> Services {
    let mut tx = services.db().begin(Scope::system()).await.unwrap();
    let forget = "DELETE FROM active_space; DELETE FROM embedding_space";
    sqlx::raw_sql(forget).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    let embedder = services.embedder().clone();
    let embedders = Embedders::of(services.embedders().settings().clone(), embedder);
    Services::start(services.db().clone(), embedders, settings()).await.unwrap()
}

/// Services with a cross-encoder.
async fn with_reranker(services: &Services, reranker: Arc<dyn Reranker>) -> Services {
    let embedders = services.embedders().settings().clone();
    let embedders = Embedders::of(embedders, services.embedder().clone()).with_reranker(reranker);
    Services::start(services.db().clone(), embedders, settings()).await.unwrap()
}

fn config(arguments: &[String], database: &Database) -> Config {
    let mut config = parsed(arguments, database.folder());
    // Whatever the environment says: a test never touches a database that is not its own.
    config.database_url = database.url().map(SecretString::from);
    config
}

/// The settings of a server that keeps its files in a folder.
fn config_in(folder: &Path) -> Config {
    parsed(&[], folder)
}

fn parsed(arguments: &[String], folder: &Path) -> Config {
    let folder = folder.to_str().unwrap();
    let defaults = [
        ["--port", "0"],
        ["--env", "development"],
        ["--jwt-secret", SECRET],
        ["--data-dir", folder],
        ["--log", "off"],
    ];
    let is_given = |name: &str| arguments.iter().any(|argument| argument == name);
    let mut line = vec!["test".to_owned()];
    for pair in defaults.iter().filter(|pair| !is_given(pair[0])) {
        line.extend(pair.map(str::to_owned));
    }
    line.extend(arguments.iter().cloned());
    CommandLine::parse_from(line).config
}

/// The settings of services that a test makes by itself.
pub(crate) fn settings() -> Settings {
    Settings {
        anonymous_reads: AnonymousReads::On,
        default_recommendations: 5,
        max_recommendations: 100,
        song_template: kindred::model::song::Template::default(),
        index: IndexPolicy {
            exact_rows: 5_000,
            index_rows: 50_000,
            binary_rows: None,
            build: IndexBuild { memory_mb: 64, parallel_workers: 0 },
        },
        queue: QueuePolicy { lease: Duration::from_mins(1), poll: Duration::from_secs(1) },
        tiers: Tiers::Off,
    }
}

/// The id of a user, by name.
pub(crate) fn user_id(name: &str) -> Uuid {
    let mut bytes = *b"kindred test....";
    for (index, byte) in name.bytes().enumerate() {
        bytes[index % 16] = bytes[index % 16].wrapping_mul(31).wrapping_add(byte);
    }
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

/// Runs futures at the same time and returns what they gave, in the order in which they ended.
pub(crate) async fn at_once<F>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    futures.into_iter().collect::<JoinSet<_>>().join_all().await
}

/// A field of every object of a list.
pub(crate) fn texts(list: &Value, field: &str) -> Vec<String> {
    let text = |item: &Value| item[field].as_str().unwrap_or_default().to_owned();
    list.as_array().unwrap_or_else(|| panic!("no list: {list}")).iter().map(text).collect()
}

/// The titles of a connection's nodes.
pub(crate) fn titles(connection: &Value) -> Vec<String> {
    texts(&connection["nodes"], "title")
}
