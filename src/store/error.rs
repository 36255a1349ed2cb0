//! What can go wrong in the database.

/// A failure of the database. Clients never see its text; the log does.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("a database statement failed")]
    Sqlx(#[from] sqlx::Error),
    #[error("a database statement failed")]
    Orm(#[from] sea_orm::DbErr),
    #[error("{0}")]
    Setup(String),
    #[error("the database holds `{value}` in `{column}`, which this program does not know")]
    Unreadable { column: &'static str, value: String },
}

impl Error {
    /// Whether the same statement may succeed later: the server was away, busy or too slow.
    pub fn is_transient(&self) -> bool {
        use sea_orm::DbErr::{Conn, ConnectionAcquire};
        match self {
            Self::Orm(ConnectionAcquire(_) | Conn(_)) => true,
            Self::Sqlx(_) | Self::Orm(_) | Self::Setup(_) | Self::Unreadable { .. } => {
                self.sqlx().is_some_and(is_transient)
            }
        }
    }

    /// Whether the statement was stopped because it took too long.
    pub fn is_timeout(&self) -> bool {
        self.sqlx().and_then(code).as_deref() == Some("57014")
    }

    /// Whether somebody else held a lock for too long.
    pub fn is_lock_conflict(&self) -> bool {
        // Lock not available, deadlock.
        self.sqlx().and_then(code).is_some_and(|code| code == "55P03" || code == "40P01")
    }

    /// Whether the vectors of a space were asked for that is not there any more.
    pub fn is_dropped_leaf(&self) -> bool {
        let error = self.sqlx().and_then(sqlx::Error::as_database_error);
        error.is_some_and(|error| {
            error.code().as_deref() == Some("42P01") && error.message().contains("_embedding_")
        })
    }

    /// What sqlx said, directly or through SeaORM.
    fn sqlx(&self) -> Option<&sqlx::Error> {
        use sea_orm::DbErr::{Exec, Query};
        use sea_orm::RuntimeErr::SqlxError;
        match self {
            Self::Sqlx(error) => Some(error),
            Self::Orm(Exec(SqlxError(error)) | Query(SqlxError(error))) => Some(error),
            Self::Orm(_) | Self::Setup(_) | Self::Unreadable { .. } => None,
        }
    }
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(std::borrow::Cow::into_owned)
}

fn is_transient(error: &sqlx::Error) -> bool {
    if matches!(
        error,
        sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
    ) {
        return true;
    }
    // Classes: 08 connection, 40 rollback (deadlock), 53 resources, 55 lock, 57 operator.
    code(error).is_some_and(|code| ["08", "40", "53", "55", "57"].contains(&&code[..2]))
}
