//! The handle to the database, which opens only against a scope.

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
}

impl Db {
    pub(super) fn new(pool: PgPool, server: Server) -> Self {
        let orm = SqlxPostgresConnector::from_sqlx_postgres_pool(pool.clone());
        Self { pool, orm, server }
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
        &self.pool
    }

    /// For statements built by SeaORM.
    pub(super) fn orm(&self, _scope: Scope) -> &DatabaseConnection {
        &self.orm
    }

    /// Begins a transaction; `service` decides what belongs into one.
    pub async fn begin(&self, _scope: Scope) -> Result<Tx> {
        Ok(self.pool.begin().await?)
    }

    /// Waits until every connection is given back and closes them.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Connections that are open, and how many of them nobody uses.
    pub fn connections(&self) -> (u32, usize) {
        (self.pool.size(), self.pool.num_idle())
    }
}
