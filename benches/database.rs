//! Databases of the benchmark's own, in the server it is given.

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection};

use crate::Result;

/// What a connection of the program runs with, see `store::connect`.
const SESSION: &str = "SET client_min_messages = error;
    SET statement_timeout = '60s';
    SET jit = off;
    SET random_page_cost = 1.1;
    SET hnsw.ef_search = 1000;
    SET hnsw.iterative_scan = relaxed_order;
    SET hnsw.max_scan_tuples = 100000;
    SET hnsw.scan_mem_multiplier = 4;";

/// A server in which databases may be made.
pub(crate) struct Databases {
    options: PgConnectOptions,
    admin: PgConnection,
    made: Vec<String>,
}

/// One database.
#[derive(Clone)]
pub(crate) struct Database {
    options: PgConnectOptions,
}

impl Databases {
    pub(crate) async fn open(url: &str) -> Result<Self> {
        let options: PgConnectOptions = url.parse()?;
        let admin = options.connect().await?;
        Ok(Self { options, admin, made: Vec::new() })
    }

    /// An empty database; what an interrupted run left under its name is dropped.
    pub(crate) async fn create(&mut self, name: &str) -> Result<Database> {
        let name = format!("kindred_bench_{name}");
        self.drop(&name).await?;
        self.admin.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).await?;
        let options = self.options.clone().database(&name);
        self.made.push(name);
        Ok(Database { options })
    }

    pub(crate) async fn drop_all(mut self) -> Result<()> {
        for name in std::mem::take(&mut self.made) {
            self.drop(&name).await?;
        }
        Ok(self.admin.close().await?)
    }

    async fn drop(&mut self, name: &str) -> Result<()> {
        let statement = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        self.admin.execute(sqlx::AssertSqlSafe(statement)).await?;
        Ok(())
    }
}

impl Database {
    pub(crate) fn url(&self) -> String {
        self.options.to_url_lossy().to_string()
    }

    /// The same database by another way.
    pub(crate) fn through(&self, host: &str, port: u16) -> Self {
        let options = self.options.clone().host(host).port(port).ssl_mode(PgSslMode::Disable);
        Self { options }
    }

    /// Where its server listens.
    pub(crate) fn address(&self) -> (String, u16) {
        (self.options.get_host().to_owned(), self.options.get_port())
    }

    /// A connection with the settings that the program uses.
    pub(crate) async fn connect(&self) -> Result<PgConnection> {
        let mut connection = self.options.connect().await?;
        connection.execute(sqlx::raw_sql(SESSION)).await?;
        Ok(connection)
    }
}
