//! Databases that are made for one run and dropped after it.

use secrecy::ExposeSecret;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};
use uuid::Uuid;

use super::{Error, Options, Result};

/// A database of its own on the server of another one.
#[derive(Debug, Clone)]
pub struct Scratch {
    name: String,
    home: Options,
}

impl Scratch {
    /// Makes an empty database on the server of `home`, in which nothing is changed. Its name is that of
    /// `home` and the id.
    pub async fn create(home: &Options, id: Uuid) -> Result<Self> {
        let url = parsed(home)?;
        let beside: String = url.get_database().unwrap_or("kindred").chars().take(24).collect();
        let name = format!("{beside}_eval_{}", id.simple());
        let scratch = Self { name, home: home.clone() };
        scratch.execute(format!("CREATE DATABASE {}", scratch.quoted())).await.map_err(|error| {
            Error::Setup(format!(
                "cannot make a database of its own on the server ({error}); the user needs the right \
                 CREATEDB, or unset `DATABASE_URL` to use an embedded database"
            ))
        })?;
        Ok(scratch)
    }

    /// How to reach it.
    pub fn options(&self) -> Result<Options> {
        let url = parsed(&self.home)?.database(&self.name).to_url_lossy();
        Ok(Options { url: url.to_string().into(), ..self.home.clone() })
    }

    /// Drops it, also where somebody is still connected.
    pub async fn drop(self) -> Result<()> {
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.quoted());
        Ok(self.execute(statement).await?)
    }

    fn quoted(&self) -> String {
        format!("\"{}\"", self.name.replace('"', "\"\""))
    }

    async fn execute(&self, statement: String) -> std::result::Result<(), sqlx::Error> {
        let options =
            parsed(&self.home).map_err(|error| sqlx::Error::Configuration(error.into()))?;
        let mut connection = PgConnection::connect_with(&options).await?;
        connection.execute(sqlx::raw_sql(AssertSqlSafe(statement))).await?;
        connection.close().await
    }
}

fn parsed(options: &Options) -> Result<PgConnectOptions> {
    let url = options.url.expose_secret().parse::<PgConnectOptions>();
    let url =
        url.map_err(|error| Error::Setup(format!("the database URL cannot be read: {error}")))?;
    Ok(url.extra_float_digits(None).application_name("kindred"))
}
