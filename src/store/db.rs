//! The handle to the database, which opens only against a scope.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sea_orm::{DatabaseConnection, SqlxPostgresConnector};
use sqlx::{PgPool, Postgres, Transaction};

use super::{Result, Server};
use crate::model::Scope;

/// A transaction. It ends with `commit`; dropping it rolls back.
pub type Tx = Transaction<'static, Postgres>;

/// A pool of connections. There is no way to a connection without a [`Scope`].
#[derive(Clone)]
pub struct Db {
    pool: PgPool,
    orm: DatabaseConnection,
    server: Server,
    asked: Arc<AtomicU64>,
}

impl Db {
    pub(super) fn new(pool: PgPool, server: Server) -> Self {
        let orm = SqlxPostgresConnector::from_sqlx_postgres_pool(pool.clone());
        Self { pool, orm, server, asked: Arc::default() }
    }

    /// The type that HNSW indexes hold. Half precision takes half the room and loses nothing, because
    /// what the index proposes is compared again; but the embedded engine has no instruction for it
    /// and is a hundred times slower with it.
    pub(super) fn indexed_type(&self) -> &'static str {
        match self.server {
            Server::External => "halfvec",
            Server::Embedded => "vector",
        }
    }

    /// Who looks after the server.
    pub(super) fn server(&self) -> Server {
        self.server
    }

    /// For statements written in SQL.
    pub(super) fn sql(&self, _scope: Scope) -> &PgPool {
        self.asked.fetch_add(1, Ordering::Relaxed);
        &self.pool
    }

    /// For statements built by SeaORM.
    pub(super) fn orm(&self, _scope: Scope) -> &DatabaseConnection {
        self.asked.fetch_add(1, Ordering::Relaxed);
        &self.orm
    }

    /// Begins a transaction; `service` decides what belongs into one.
    pub async fn begin(&self, _scope: Scope) -> Result<Tx> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Ok(self.pool.begin().await?)
    }

    /// Waits until every connection is given back and closes them.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// How many statements were asked for since the start; a transaction counts as one.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// Connections that are open, and how many of them nobody uses.
    pub fn connections(&self) -> (u32, usize) {
        (self.pool.size(), self.pool.num_idle())
    }
}
