//! The one place that wires things together; `main` and the tests use it.

mod database;

use std::time::Duration;

use async_graphql::Variables;
use secrecy::SecretString;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use uuid::Uuid;

use crate::auth::{self, Role, Tokens};
use crate::config::{Config, IndexQuantization};
use crate::dev::{DataFolder, FolderLock, SetupError};
use crate::embed::{Embedders, LocalSettings, OpenAiSettings, RerankSettings};
use crate::graphql::{self, KindredSchema, RequestContext};
use crate::http;
use crate::model::song::Template;
use crate::model::viewer::AnonymousReads;
use crate::model::{Clock, Kind, Viewer, with_causes};
use crate::service::{IndexPolicy, QueuePolicy, Services, Settings, Tiers};
use crate::store::{self, index::IndexBuild};
use crate::worker::Worker;
use crate::{embed, service};

pub use database::{Opened, Temporary, open};

/// The demo catalogue, one song a line.
pub const DEMO: &str = include_str!("../../demo/songs.jsonl");

/// Below some 30,000 rows comparing everything is as fast as an index that finds 99 of 100.
const INDEX_ROWS: u32 = 30_000;
/// Building an index blocks the embedded database for minutes.
const EMBEDDED_INDEX_ROWS: u32 = 100_000;
/// With fewer rows an index over bits saves too little for what it misses.
const BINARY_ROWS: i64 = 1_000_000;
/// Workers look this often what is due by time: retries, and tasks whose worker stopped.
const POLL: Duration = Duration::from_secs(1);
/// Open requests have this long to end when the server stops.
const SHUTDOWN: Duration = Duration::from_secs(10);

/// Why the program cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error("{0}")]
    Secret(#[from] auth::SecretError),
    #[error(
        "production needs a secret that signs tokens; set `JWT_SECRET`, for example to the output of `openssl rand -hex 32`"
    )]
    NoSecret,
    #[error("cannot sign a token: {0}")]
    Token(#[from] auth::TokenError),
    #[error(transparent)]
    Template(#[from] crate::model::song::TemplateError),
    #[error(transparent)]
    Origin(#[from] http::MalformedOrigin),
    #[error("cannot use the database: {}", with_causes(.0))]
    Store(#[from] store::Error),
    #[error("cannot start: {}", with_causes(.0))]
    Service(#[from] service::Error),
    #[error("{}", with_causes(.0))]
    Embed(#[from] embed::Error),
    #[error("cannot listen on {address}: {source}")]
    Listen { address: String, source: std::io::Error },
    #[error("the server stopped: {0}")]
    Serve(#[source] std::io::Error),
    #[error("the demo catalogue could not be loaded: {0}")]
    Demo(String),
}

/// The whole program, wired.
pub struct App {
    pub services: Services,
    pub schema: KindredSchema,
    /// `None` where no secret is set: only commands that answer no requests run like that.
    tokens: Option<Tokens>,
    pub config: Config,
    lock: Option<FolderLock>,
    // Last, so that it stops after everything that uses it.
    #[cfg(feature = "embedded-db")]
    _embedded: Option<crate::dev::EmbeddedDatabase>,
}

/// The secret that signs tokens: the configured one, or in development the data folder's own.
pub fn secret(config: &Config) -> Result<SecretString, StartError> {
    use secrecy::ExposeSecret;
    match &config.jwt_secret {
        Some(secret) => Ok(auth::parse(secret.expose_secret())?),
        None if config.is_development() => {
            Ok(DataFolder::open(config.data_dir.as_deref())?.secret()?)
        }
        None => Err(StartError::NoSecret),
    }
}

impl App {
    /// Opens the database, brings it up to date and wires everything.
    pub async fn build(
        config: Config,
        folder_lock: Option<FolderLock>,
    ) -> Result<Self, StartError> {
        let tokens = match secret(&config) {
            Ok(secret) => Some(Tokens::new(&secret)),
            Err(StartError::NoSecret) => None,
            Err(error) => return Err(error),
        };
        let opened = open(&config, folder_lock)?;
        Self::wire(config, tokens, opened).await
    }

    /// Brings an open database up to date and wires everything round it.
    async fn wire(
        config: Config,
        tokens: Option<Tokens>,
        opened: Opened,
    ) -> Result<Self, StartError> {
        let settings = settings(&config)?;
        let embedders = Embedders::new(embed_settings(&config))?;
        store::migrate(&opened.options).await?;
        let db = store::connect(&opened.options).await?;
        let services = Services::start(db, embedders, settings).await?;
        let schema = graphql::schema(services.clone());
        Ok(Self {
            services,
            schema,
            tokens,
            config,
            lock: opened.folder_lock,
            #[cfg(feature = "embedded-db")]
            _embedded: opened.embedded,
        })
    }

    /// Fills an empty embedded catalogue with the demo songs. Returns how many it wrote.
    pub async fn seed_demo(&self) -> Result<usize, StartError> {
        let viewer = self.operator();
        let is_embedded = self.config.database_url.is_none();
        // Soft-deleted songs count: a catalogue that somebody emptied stays empty.
        if !is_embedded || self.services.holds_any(viewer, Kind::Song).await? {
            return Ok(0);
        }
        let rows: Result<Vec<serde_json::Value>, _> =
            DEMO.lines().map(serde_json::from_str).collect();
        let rows = rows.map_err(|error| StartError::Demo(error.to_string()))?;
        for batch in rows.chunks(crate::model::limits::INGEST_ROWS) {
            self.ingest(viewer, batch).await?;
        }
        Worker::new(self.services.clone()).run_until_idle().await?;
        Ok(rows.len())
    }

    async fn ingest(&self, viewer: Viewer, rows: &[serde_json::Value]) -> Result<(), StartError> {
        let query = "mutation ($rows: [SongInput!]!) { ingestSongs(rows: $rows) { rejected } }";
        let response = self.execute(viewer, query, json!({ "rows": rows })).await;
        match response.errors.first() {
            Some(error) => Err(StartError::Demo(error.message.clone())),
            None => Ok(()),
        }
    }

    /// Answers a request of this very process.
    pub async fn execute(
        &self,
        viewer: Viewer,
        query: &str,
        variables: serde_json::Value,
    ) -> async_graphql::Response {
        let request = async_graphql::Request::new(query)
            .variables(Variables::from_json(variables))
            .data(RequestContext::new(&self.services, viewer));
        self.schema.execute(request).await
    }

    /// Whoever runs the program may do everything.
    pub fn operator(&self) -> Viewer {
        Viewer::Admin(Uuid::nil())
    }

    /// What signs and checks tokens; answering requests needs it.
    pub fn tokens(&self) -> Result<&Tokens, StartError> {
        self.tokens.as_ref().ok_or(StartError::NoSecret)
    }

    /// A token for an administrator, good for a day.
    pub fn admin_token(&self) -> Result<String, StartError> {
        let day = Duration::from_hours(24);
        Ok(self.tokens()?.issue(Uuid::nil(), Role::Admin, Clock.now(), day)?)
    }

    /// Listens; port 0 takes a free port.
    pub async fn listen(&self) -> Result<TcpListener, StartError> {
        let address = (self.config.host, self.config.port);
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|source| StartError::Listen {
            address: format!("{}:{}", self.config.host, self.config.port),
            source,
        })?;
        if let (Some(lock), Ok(address)) = (&self.lock, listener.local_addr()) {
            lock.announce(&reachable(address))?;
        }
        Ok(listener)
    }

    fn http_state(&self) -> Result<http::State, StartError> {
        let settings = http::Settings {
            is_development: self.config.is_development(),
            request_timeout: self.config.request_timeout(),
            max_concurrent_requests: self.config.max_concurrent_requests,
            cors_origins: self.config.cors_origins.clone(),
        };
        let (services, schema) = (self.services.clone(), self.schema.clone());
        Ok(http::State::new(services, schema, self.tokens()?.clone(), &settings)?)
    }

    /// Answers requests, and embeds what is queued if `worker` says so, until `stop` turns true.
    pub async fn serve(
        &self,
        listener: TcpListener,
        runs_worker: RunsWorker,
        stop: watch::Receiver<bool>,
    ) -> Result<(), StartError> {
        let router = http::router(self.http_state()?);
        let worker = match runs_worker {
            RunsWorker::Yes => Some(tokio::spawn({
                let worker = Worker::new(self.services.clone());
                let stop = stop.clone();
                async move { worker.run(stop).await }
            })),
            RunsWorker::No => None,
        };
        let accountant = tokio::spawn({
            let (services, stop) = (self.services.clone(), stop.clone());
            async move { services.keep_recording_usage(stop).await }
        });
        let stopped = until(stop.clone());
        let server = axum::serve(listener, router).with_graceful_shutdown(stopped).into_future();
        let deadline = async {
            until(stop).await;
            tokio::time::sleep(SHUTDOWN).await;
        };
        let outcome = tokio::select! {
            outcome = server => outcome.map_err(StartError::Serve),
            // A client that keeps its connection open must not keep the server from ending.
            () = deadline => Ok(()),
        };
        if let Some(worker) = worker {
            drop(tokio::time::timeout(SHUTDOWN, worker).await);
        }
        let last = async {
            drop(accountant.await);
            self.services.record_usage().await;
        };
        drop(tokio::time::timeout(SHUTDOWN, last).await);
        drop(tokio::time::timeout(SHUTDOWN, self.services.db().close()).await);
        outcome
    }
}

/// Whether a server embeds what is queued, or leaves that to `kindred work`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunsWorker {
    Yes,
    No,
}

async fn until(mut stop: watch::Receiver<bool>) {
    // An error means that nobody can stop us any more; then there is nothing to wait for.
    drop(stop.wait_for(|stop| *stop).await);
}

/// The address under which this machine reaches a listener.
pub fn reachable(address: std::net::SocketAddr) -> String {
    let host = match address.ip() {
        ip if ip.is_unspecified() && ip.is_ipv6() => "[::1]".to_owned(),
        ip if ip.is_unspecified() => "127.0.0.1".to_owned(),
        std::net::IpAddr::V6(ip) => format!("[{ip}]"),
        std::net::IpAddr::V4(ip) => ip.to_string(),
    };
    format!("http://{host}:{}", address.port())
}

/// What the configuration says about models.
pub fn embed_settings(config: &Config) -> embed::Settings {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    embed::Settings {
        backend: config.embedder,
        local: LocalSettings {
            model: config.local_model.clone(),
            model_dir: config.local_model_dir.clone(),
            cache_dir: DataFolder::models(config.data_dir.as_deref()),
            onnx_runtime: config.onnx_runtime.clone(),
            threads: config.local_threads.map_or(cores, |threads| threads as usize),
            unload_after: Duration::from_secs(config.local_unload_after),
        },
        openai: OpenAiSettings {
            model: config.openai_model.clone(),
            dimensions: config.openai_dimensions.map(|dimensions| dimensions as usize),
            api_key: config.openai_api_key.clone(),
            base_url: config.openai_base_url.clone(),
            max_tokens: config.openai_max_tokens as usize,
            timeout: Duration::from_secs(config.openai_timeout),
            concurrency: config.openai_concurrency as usize,
            price: config.openai_price,
        },
        rerank: RerankSettings {
            model: config.rerank_model.clone(),
            model_dir: config.rerank_model_dir.clone(),
        },
        cache_bytes: u64::from(config.query_cache_mb) << 20,
    }
}

fn settings(config: &Config) -> Result<Settings, StartError> {
    let index_rows = config.index_rows.unwrap_or(match config.database_url {
        Some(_) => INDEX_ROWS,
        None => EMBEDDED_INDEX_ROWS,
    });
    let workers = std::thread::available_parallelism().map_or(1, usize::from).saturating_sub(1);
    Ok(Settings {
        anonymous_reads: match config.is_development() {
            true => AnonymousReads::On,
            false => AnonymousReads::Off,
        },
        default_recommendations: config
            .default_recommendation_limit
            .min(config.max_recommendation_limit) as usize,
        max_recommendations: config.max_recommendation_limit as usize,
        song_template: Template::parse(&config.song_template)?,
        index: IndexPolicy {
            exact_rows: config.exact_search_rows.into(),
            index_rows: index_rows.into(),
            binary_rows: match (config.index_quantization, &config.database_url) {
                (IndexQuantization::Binary, Some(_)) => Some(BINARY_ROWS),
                (IndexQuantization::Binary, None) | (IndexQuantization::None, _) => None,
            },
            build: IndexBuild {
                memory_mb: config.index_memory_mb,
                parallel_workers: u32::try_from(workers).unwrap_or(1).min(8),
            },
        },
        queue: QueuePolicy { lease: Duration::from_secs(config.task_lease), poll: POLL },
        tiers: if config.sync_static { Tiers::StaticFirst } else { Tiers::Off },
    })
}
