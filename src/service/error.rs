//! What can go wrong when somebody asks for something, and the code that clients branch on.

use crate::model::cursor::MalformedCursor;
use crate::model::ids::MalformedId;
use crate::{embed, store};

/// The codes of `extensions.code`. Clients branch on them, so they never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// An argument is outside of what is allowed.
    InvalidArgument,
    /// An id is not of the form `kind:uuid`.
    InvalidId,
    /// A cursor is malformed, or belongs to another query or a replaced space.
    InvalidCursor,
    /// Something that was named is not there, or not visible.
    NotFound,
    /// A token is needed, or the one that was sent is not good.
    Unauthenticated,
    /// The viewer may not do this.
    Forbidden,
    /// The embedding model does not answer.
    EmbedderUnavailable,
    /// The database does not answer.
    DatabaseUnavailable,
    /// The request took too long.
    Timeout,
    /// Something broke; the log knows what.
    Internal,
}

impl Code {
    pub const ALL: [Self; 10] = [
        Self::InvalidArgument,
        Self::InvalidId,
        Self::InvalidCursor,
        Self::NotFound,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::EmbedderUnavailable,
        Self::DatabaseUnavailable,
        Self::Timeout,
        Self::Internal,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::InvalidId => "INVALID_ID",
            Self::InvalidCursor => "INVALID_CURSOR",
            Self::NotFound => "NOT_FOUND",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden => "FORBIDDEN",
            Self::EmbedderUnavailable => "EMBEDDER_UNAVAILABLE",
            Self::DatabaseUnavailable => "DATABASE_UNAVAILABLE",
            Self::Timeout => "TIMEOUT",
            Self::Internal => "INTERNAL",
        }
    }
}

/// Why something could not be done. Its text is what the client reads.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("`{field}` {problem}")]
    Invalid { field: &'static str, problem: String },
    #[error(transparent)]
    MalformedId(#[from] MalformedId),
    #[error(transparent)]
    MalformedCursor(#[from] MalformedCursor),
    #[error(
        "the cursor belongs to another query or to a replaced space; start again without `after`"
    )]
    ForeignCursor,
    #[error("{0} is not there")]
    NotFound(String),
    #[error("this needs a token; send `Authorization: Bearer <token>`")]
    Unauthenticated,
    #[error("only administrators may do this")]
    Forbidden,
    #[error("the embedding model did not answer; try again in a minute")]
    Embedder(#[source] embed::Error),
    #[error("internal error")]
    BrokenEmbedder(#[source] embed::Error),
    #[error("the database did not answer; try again in a moment")]
    StoreAway(#[source] store::Error),
    #[error("the request took too long and was stopped; ask for less, or narrow it down")]
    TooSlow(#[source] store::Error),
    #[error("the space was dropped meanwhile; ask again")]
    SpaceGone(#[source] store::Error),
    #[error("internal error")]
    Store(#[source] store::Error),
    #[error("the row was removed meanwhile; ask again")]
    Gone,
    #[error("internal error")]
    Aside(#[source] tokio::task::JoinError),
    /// An error that several waited for together.
    #[error(transparent)]
    Shared(#[from] std::sync::Arc<Self>),
}

impl Error {
    /// An argument that is outside of what is allowed.
    pub fn invalid(field: &'static str, problem: impl Into<String>) -> Self {
        Self::Invalid { field, problem: problem.into() }
    }

    pub fn code(&self) -> Code {
        match self {
            Self::Invalid { .. } => Code::InvalidArgument,
            Self::MalformedId(_) => Code::InvalidId,
            Self::MalformedCursor(_) | Self::ForeignCursor => Code::InvalidCursor,
            Self::NotFound(_) | Self::SpaceGone(_) | Self::Gone => Code::NotFound,
            Self::Unauthenticated => Code::Unauthenticated,
            Self::Forbidden => Code::Forbidden,
            Self::Embedder(_) => Code::EmbedderUnavailable,
            Self::StoreAway(_) => Code::DatabaseUnavailable,
            Self::TooSlow(_) => Code::Timeout,
            Self::Store(_) | Self::BrokenEmbedder(_) | Self::Aside(_) => Code::Internal,
            Self::Shared(error) => error.code(),
        }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        if error.is_dropped_leaf() {
            Self::SpaceGone(error)
        } else if error.is_timeout() {
            Self::TooSlow(error)
        } else if error.is_transient() {
            Self::StoreAway(error)
        } else {
            Self::Store(error)
        }
    }
}

impl From<embed::Error> for Error {
    fn from(error: embed::Error) -> Self {
        if error.is_of_the_model() { Self::Embedder(error) } else { Self::BrokenEmbedder(error) }
    }
}
