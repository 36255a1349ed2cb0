//! Why a text could not be embedded.

use std::time::Duration;

use super::BoxError;

/// Why a text could not be embedded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The model, its files or its settings are not there or not good. The text is the cause's own.
    #[error("the embedding model cannot be used: {0}")]
    Load(BoxError),
    /// The backend will not embed this text, however often it is asked.
    #[error("the embedding model refused the text: {0}")]
    Refused(String),
    /// The backend does not answer, or asked to be left alone; the same call may succeed later.
    #[error("the embedding model does not answer: {message}")]
    Unavailable {
        message: String,
        /// How long the backend asked to be left alone.
        retry_after: Option<Duration>,
    },
    #[error("the embedding model returned {actual} vectors for {expected} texts")]
    Count { expected: usize, actual: usize },
    #[error("the embedding model returned a vector of {actual} dimensions instead of {expected}")]
    Dimensions { expected: usize, actual: usize },
    #[error("the embedding model returned a vector that is not finite")]
    NotFinite,
    #[error("the embedding model broke down over a text")]
    Panicked,
    /// An error that several callers waited for together.
    #[error(transparent)]
    Shared(std::sync::Arc<Self>),
}

impl Error {
    /// Whether the same call may succeed later, through no change of the texts or the settings.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable { .. } => true,
            Self::Shared(error) => error.is_transient(),
            Self::Load(_)
            | Self::Refused(_)
            | Self::Count { .. }
            | Self::Dimensions { .. }
            | Self::NotFinite
            | Self::Panicked => false,
        }
    }

    /// Whether it is the model that cannot be used, whatever the text.
    pub fn is_of_the_model(&self) -> bool {
        match self {
            Self::Load(_) | Self::Unavailable { .. } => true,
            Self::Shared(error) => error.is_of_the_model(),
            Self::Refused(_)
            | Self::Count { .. }
            | Self::Dimensions { .. }
            | Self::NotFinite
            | Self::Panicked => false,
        }
    }

    /// How long the backend asked to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable { retry_after, .. } => *retry_after,
            Self::Shared(error) => error.retry_after(),
            Self::Load(_)
            | Self::Refused(_)
            | Self::Count { .. }
            | Self::Dimensions { .. }
            | Self::NotFinite
            | Self::Panicked => None,
        }
    }
}
