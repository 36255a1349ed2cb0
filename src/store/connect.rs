//! Opens the pool, checks the server and brings the tables up to date.

use std::time::Duration;

use migration::{Migrator, MigratorTrait};
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, Executor, PgConnection, PgPool};

use super::{Db, Error, Result};

/// pgvector before this has no iterative scan, without which filtered searches lose rows.
const PGVECTOR_NEEDED: (u32, u32) = (0, 8);
/// pgvector before this can corrupt an HNSW index under vacuum (pgvector issues 988 and 993).
const PGVECTOR_WANTED: (u32, u32, u32) = (0, 8, 4);
/// Any number, as long as nobody else locks it: migrations run one process at a time.
const MIGRATION_LOCK: i64 = 0x006b_696e_6472_6564;
/// A connection that rested longer is tested before it is used.
const TEST_AFTER_IDLE: Duration = Duration::from_secs(1);
/// How long to try once more, only to learn why the pool cannot connect.
const REASON: Duration = Duration::from_secs(2);

/// How to reach the database.
#[derive(Debug, Clone)]
pub struct Options {
    pub url: SecretString,
    pub min_connections: u32,
    pub max_connections: u32,
    /// A statement is stopped after this.
    pub command_timeout: Duration,
    pub server: Server,
}

/// Who looks after the database server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// Somebody else, who can update it.
    External,
    /// It is part of this program.
    Embedded,
}

impl Server {
    /// How long to wait for a free connection: the embedded engine has one for everybody.
    fn patience(self) -> Duration {
        match self {
            Self::External => Duration::from_secs(5),
            Self::Embedded => Duration::from_secs(25),
        }
    }
}

/// Opens the pool. One connection is made at once, so a wrong address is found here.
pub async fn connect(options: &Options) -> Result<Db> {
    let pool = pool(options, options.min_connections, options.max_connections).await?;
    Ok(Db::new(pool, options.server))
}

async fn pool(options: &Options, min: u32, max: u32) -> Result<PgPool> {
    let url: PgConnectOptions = options
        .url
        .expose_secret()
        .parse()
        .map_err(|error| Error::Setup(format!("the database URL cannot be read: {error}")))?;
    // PgBouncer refuses connections that send this parameter.
    let url = url.extra_float_digits(None).application_name("kindred");
    let settings = session_settings(options.command_timeout);
    let pool = PgPoolOptions::new()
        .min_connections(min)
        .max_connections(max)
        .acquire_timeout(options.server.patience())
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for > TEST_AFTER_IDLE {
                    connection.execute("SELECT 1").await?;
                }
                Ok(true)
            })
        })
        .after_connect(move |connection, _| {
            let settings = settings.clone();
            Box::pin(async move {
                connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(settings))).await?;
                Ok(())
            })
        })
        // A request that is cancelled in BEGIN leaves its transaction open in sqlx 0.9.0 (issue
        // 4385); whoever gets the connection next would write into it and lose the write.
        .after_release(|connection, _| {
            Box::pin(async move {
                connection.execute("ROLLBACK").await?;
                Ok(true)
            })
        })
        .connect_with(url.clone())
        .await;
    match pool {
        Err(sqlx::Error::PoolTimedOut) => Err(unreachable(&url).await),
        pool => Ok(pool?),
    }
}

/// Why no connection was made: the pool tries again until its patience ends and then only says so.
async fn unreachable(url: &PgConnectOptions) -> Error {
    let connection = tokio::time::timeout(REASON, PgConnection::connect_with(url)).await;
    match connection {
        Ok(Err(error)) => Error::Setup(format!("the database cannot be reached: {error}")),
        // It came back just now, or hangs.
        Ok(Ok(_)) | Err(_) => Error::Sqlx(sqlx::Error::PoolTimedOut),
    }
}

/// A page costs about the same wherever it lies on a solid-state disk; PostgreSQL supposes a disk that
/// turns. `ef_search` is as large as it gets: the bundled model's vectors are hard on HNSW, and texts that
/// resemble no row find a quarter of their nearest rows not at 100 (see ARCHITECTURE.md).
/// `relaxed_order` keeps the index scan going until enough rows pass the filter; the results are
/// put in exact order afterwards.
fn session_settings(command_timeout: Duration) -> String {
    let timeout_ms = command_timeout.as_millis();
    format!(
        "SET client_min_messages = error;
         SET statement_timeout = {timeout_ms};
         SET lock_timeout = {timeout_ms};
         SET idle_in_transaction_session_timeout = {};
         SET jit = off;
         SET random_page_cost = 1.1;
         SET hnsw.ef_search = 1000;
         SET hnsw.iterative_scan = relaxed_order;
         SET hnsw.max_scan_tuples = 100000;
         SET hnsw.scan_mem_multiplier = 4;",
        timeout_ms * 2
    )
}

/// Checks the server and applies what is missing, one process at a time.
pub async fn migrate(options: &Options) -> Result<()> {
    let pool = locked_pool(options).await?;
    let outcome = migrate_locked(&pool, options.server).await;
    pool.close().await;
    outcome
}

/// Reverts every migration. All data is lost.
pub async fn rollback_all(options: &Options) -> Result<()> {
    let pool = locked_pool(options).await?;
    let db = sea_orm::SqlxPostgresConnector::from_sqlx_postgres_pool(pool.clone());
    let outcome = Migrator::down(&db, None).await;
    pool.close().await;
    Ok(outcome?)
}

/// A pool of one connection that holds the migration lock until it closes.
async fn locked_pool(options: &Options) -> Result<PgPool> {
    let pool = pool(options, 1, 1).await?;
    // Waiting for another process to finish, and building indexes, may take long.
    pool.execute("SET statement_timeout = 0; SET lock_timeout = 0").await?;
    sqlx::query("SELECT pg_advisory_lock($1)").bind(MIGRATION_LOCK).execute(&pool).await?;
    Ok(pool)
}

async fn migrate_locked(pool: &PgPool, server: Server) -> Result<()> {
    check_pgvector(pool, server).await?;
    let db = sea_orm::SqlxPostgresConnector::from_sqlx_postgres_pool(pool.clone());
    Migrator::up(&db, None).await?;
    Ok(())
}

async fn check_pgvector(pool: &PgPool, server: Server) -> Result<()> {
    let version: Option<String> = sqlx::query_scalar(
        "SELECT coalesce(installed_version, default_version) \
         FROM pg_available_extensions WHERE name = 'vector'",
    )
    .fetch_optional(pool)
    .await?
    .flatten();
    let Some(version) = version else {
        return Err(Error::Setup(
            "the PostgreSQL server has no pgvector; install pgvector 0.8 or newer on the server \
             (hint: the image `pgvector/pgvector` has it)"
                .to_owned(),
        ));
    };
    let parts: Vec<u32> = version.split('.').map_while(|part| part.parse().ok()).collect();
    let part = |index: usize| parts.get(index).copied().unwrap_or(0);
    if (part(0), part(1)) < PGVECTOR_NEEDED {
        return Err(Error::Setup(format!(
            "the PostgreSQL server has pgvector {version}; 0.8 or newer is needed \
             (hint: update it and run `ALTER EXTENSION vector UPDATE`)"
        )));
    }
    if server == Server::External && (part(0), part(1), part(2)) < PGVECTOR_WANTED {
        tracing::warn!(pgvector.version = %version, "Pgvector {version} has known faults in its HNSW index; 0.8.4 or newer is better");
    }
    Ok(())
}
