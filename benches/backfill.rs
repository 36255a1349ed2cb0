//! What the worker adds to a backfill: everything that is neither the model nor the database.
//!
//! The model is timed from outside, and the database as sqlx tells it, from the first byte of a statement to
//! the last row of its answer. In turns with the worker runs a bare loop of the same statements and the
//! same model.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use clap::Parser;
use kindred::config::Config;
use kindred::embed::{Description, Embedder, Embedders, Embedding, Error, StaticEmbedder};
use kindred::model::viewer::AnonymousReads;
use kindred::model::{Clock, Kind, Scope, Space, Viewer};
use kindred::service::{IndexPolicy, QueuePolicy, Services, Settings, Tiers};
use kindred::store::index::IndexBuild;
use kindred::store::lease::{self, Claim, Lane, Origin, Target};
use kindred::store::{self, Options, Server};
use kindred::worker::{Ran, Worker};
use sqlx::Executor;
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use uuid::Uuid;

use crate::Result;
use crate::catalogue::Catalogue;
use crate::measure::{Report, count, median, ms_since};

const ROUNDS: usize = 5;
const LEASE: Duration = Duration::from_mins(1);

#[derive(Parser)]
struct CommandLine {
    #[command(flatten)]
    config: Config,
}

/// The bundled model, timed.
struct Timed {
    inner: StaticEmbedder,
    nanoseconds: AtomicU64,
}

#[async_trait]
impl Embedder for Timed {
    fn description(&self) -> &Description {
        self.inner.description()
    }

    async fn embed_documents(
        &self,
        texts: &[String],
    ) -> std::result::Result<Vec<Embedding>, Error> {
        let started = Instant::now();
        let embeddings = self.inner.embed_documents(texts).await;
        add(&self.nanoseconds, started.elapsed());
        embeddings
    }

    async fn embed_query(&self, text: &str) -> std::result::Result<Embedding, Error> {
        self.inner.embed_query(text).await
    }

    async fn count_tokens(&self, texts: &[String]) -> std::result::Result<Vec<usize>, Error> {
        self.inner.count_tokens(texts).await
    }
}

/// Adds up what sqlx says that statements took.
#[derive(Clone, Default)]
struct Statements(Arc<AtomicU64>);

#[derive(Default)]
struct Statement {
    seconds: f64,
    is_upkeep: bool,
}

impl Visit for Statement {
    fn record_f64(&mut self, field: &Field, value: f64) {
        if field.name() == "elapsed_secs" {
            self.seconds = value;
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        // The pool looks after a connection while nobody waits for it.
        self.is_upkeep |= field.name() == "summary" && ["ROLLBACK", "SELECT 1"].contains(&value);
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn std::fmt::Debug) {}
}

impl<S: tracing::Subscriber> Layer<S> for Statements {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _context: Context<'_, S>) -> bool {
        metadata.target() == "sqlx::query"
    }

    fn on_event(&self, event: &tracing::Event<'_>, _context: Context<'_, S>) {
        let mut statement = Statement::default();
        event.record(&mut statement);
        if !statement.is_upkeep {
            add(&self.0, Duration::from_secs_f64(statement.seconds));
        }
    }
}

fn add(sum: &AtomicU64, time: Duration) {
    sum.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
}

/// What was added up since the last call, in milliseconds.
fn take_ms(sum: &AtomicU64) -> f64 {
    Duration::from_nanos(sum.swap(0, Ordering::Relaxed)).as_secs_f64() * 1_000.0
}

pub(crate) async fn run(catalogue: &mut Catalogue, report: &mut Report) -> Result<()> {
    let statements = Statements::default();
    tracing_subscriber::registry().with(statements.clone()).try_init()?;
    let model =
        Arc::new(Timed { inner: StaticEmbedder::bundled()?, nanoseconds: AtomicU64::new(0) });
    let services = services(catalogue, model.clone()).await?;
    let worker = Worker::new(services.clone());
    let space = services.all_spaces_by_id().await?.remove(&catalogue.space).ok_or("no space")?;
    let (mut shares, mut ratios) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let rows = queue_all(catalogue, &services).await?;
        take_ms(&model.nanoseconds);
        take_ms(&statements.0);
        let started = Instant::now();
        while worker.run_once().await? != Ran::Nothing {}
        let whole = ms_since(started);
        let (embedding, sql) = (take_ms(&model.nanoseconds), take_ms(&statements.0));
        shares.push((whole - embedding - sql) / whole * 100.0);
        queue_all(catalogue, &services).await?;
        let bare = bare(&services, &space, &model.inner).await?;
        ratios.push(whole / bare);
        println!(
            "{rows} songs: {whole:.0} ms, of which {embedding:.0} the model and {sql:.0} SQL; bare {bare:.0} ms"
        );
    }
    let share = format!("{:.1} %", median(&shares));
    report.figure("backfill: neither embedding nor SQL", share, "< 10 %");
    report.note("backfill / bare loop of the same statements", format!("{:.2}", median(&ratios)));
    Ok(())
}

async fn services(catalogue: &mut Catalogue, model: Arc<Timed>) -> Result<Services> {
    let options = Options {
        url: catalogue.database.url().into(),
        min_connections: 1,
        max_connections: 4,
        command_timeout: Duration::from_mins(1),
        server: Server::External,
    };
    let config = CommandLine::try_parse_from(["bench"])?.config;
    let embedders = Embedders::of(kindred::app::embed_settings(&config), model);
    let settings = Settings {
        anonymous_reads: AnonymousReads::Off,
        default_recommendations: 5,
        max_recommendations: 100,
        song_template: kindred::model::song::Template::default(),
        index: IndexPolicy {
            exact_rows: 20_000,
            index_rows: 1_000_000,
            binary_rows: None,
            build: IndexBuild { memory_mb: 64, parallel_workers: 0 },
        },
        queue: QueuePolicy { lease: LEASE, poll: Duration::from_secs(1) },
        tiers: Tiers::Off,
    };
    Ok(Services::start(store::connect(&options).await?, embedders, settings).await?)
}

/// Empties the leaf, which has no index while it is filled, and queues every song. Returns how many.
async fn queue_all(catalogue: &mut Catalogue, services: &Services) -> Result<u64> {
    let leaf = &catalogue.leaf;
    let statement =
        format!("DROP INDEX IF EXISTS {leaf}_hnsw_idx; TRUNCATE {leaf}; TRUNCATE embedding_task;");
    catalogue.connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(statement))).await?;
    let queued = services.embed_missing(Viewer::Admin(Uuid::nil()), Kind::Song).await?;
    catalogue.connection.execute("ANALYZE embedding_task").await?;
    Ok(queued)
}

/// Milliseconds of the same statements and the same model, one after the other.
async fn bare(services: &Services, space: &Space, model: &StaticEmbedder) -> Result<f64> {
    let (db, scope) = (services.db(), Scope::system());
    let lane = Lane { space_id: space.id, kind: Kind::Song, origin: Origin::Queued };
    let limit = i64::try_from(model.description().batch)?;
    let started = Instant::now();
    loop {
        let token = Clock.new_id();
        lease::lanes(db, scope, Clock.now()).await?;
        let claim = Claim { lane, token, lease: LEASE, limit };
        let claimed = lease::claim(db, scope, claim, Clock.now()).await?;
        if claimed.is_empty() {
            return Ok(ms_since(started));
        }
        let texts: Vec<String> = claimed.iter().map(|task| task.text.clone()).collect();
        let embeddings = model.embed_documents(&texts).await?;
        let found = claimed.iter().zip(&embeddings);
        let done: Vec<_> =
            found.filter_map(|(task, found)| Some((task, found.vector.as_deref()?))).collect();
        let target = Target { space, kind: Kind::Song, token };
        let written = lease::complete(db, scope, target, &done, Clock.now()).await?;
        if count(usize::try_from(written)?) < count(claimed.len()) {
            return Err("a song has no vector".into());
        }
    }
}
