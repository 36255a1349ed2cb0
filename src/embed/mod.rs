//! Texts to vectors. A new backend is a file here, a line in [`Backend`] and an arm in
//! [`from_backend`].

mod static_model;

use std::sync::Arc;

use async_trait::async_trait;

pub use static_model::StaticEmbedder;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A model that turns texts into unit-length vectors.
#[async_trait]
pub trait Embedder: Send + Sync {
    /// What the vectors of this model are called and how long they are.
    fn description(&self) -> &Description;

    /// One vector per text, in order. A text that the model knows nothing of gets
    /// [`Embedding::Unknown`]; never a made-up vector.
    async fn embed_documents(&self, texts: &[String]) -> Result<Vec<Embedding>, Error>;

    /// The vector of a search text.
    async fn embed_query(&self, text: &str) -> Result<Embedding, Error>;
}

/// What a model is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    pub backend: Backend,
    pub model: &'static str,
    pub dimensions: usize,
    /// Tokens of one text that are read; the rest is cut off.
    pub max_tokens: usize,
}

/// What became of one text.
#[derive(Debug, Clone, PartialEq)]
pub enum Embedding {
    /// Length 1, every number finite.
    Vector(Vec<f32>),
    /// The model knows no token of the text.
    Unknown,
}

/// The backends that can be chosen with `EMBEDDER`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Backend {
    /// The bundled static model: no download, microseconds a text.
    Static,
}

impl Backend {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Static => "static",
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the embedding model cannot be loaded")]
    Load(#[source] BoxError),
    #[error("the embedding model returned {actual} vectors for {expected} texts")]
    Count { expected: usize, actual: usize },
    #[error("the embedding model returned a vector of {actual} dimensions instead of {expected}")]
    Dimensions { expected: usize, actual: usize },
    #[error("the embedding model returned a vector that is not finite")]
    NotFinite,
    #[error("the embedding model broke down over a text")]
    Panicked,
}

impl Error {
    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Load(_)
            | Self::Count { .. }
            | Self::Dimensions { .. }
            | Self::NotFinite
            | Self::Panicked => false,
        }
    }
}

/// Builds the embedder that the configuration names.
pub fn from_backend(backend: Backend) -> Result<Arc<dyn Embedder>, Error> {
    match backend {
        Backend::Static => Ok(Arc::new(StaticEmbedder::bundled()?)),
    }
}

/// Checks a raw vector and scales it to length 1.
pub(crate) fn normalized(mut vector: Vec<f32>, dimensions: usize) -> Result<Embedding, Error> {
    if vector.len() != dimensions {
        return Err(Error::Dimensions { expected: dimensions, actual: vector.len() });
    }
    if vector.iter().any(|value| !value.is_finite()) {
        return Err(Error::NotFinite);
    }
    let norm = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    if norm < 1e-6 {
        return Ok(Embedding::Unknown);
    }
    for value in &mut vector {
        *value /= norm;
    }
    Ok(Embedding::Vector(vector))
}
