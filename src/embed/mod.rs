//! Texts to vectors. A new backend is a file here, a line in [`Backend`] and an arm in
//! `Embedders::load`.

mod cache;
mod embedders;
mod error;
#[cfg(feature = "local")]
mod local;
mod openai;
mod rerank;
mod settings;
mod static_model;
mod usage;

use std::str::FromStr;

use async_trait::async_trait;

pub use cache::CacheStats;
pub use embedders::Embedders;
pub use error::Error;
#[cfg(feature = "local")]
pub use local::{LocalEmbedder, LocalReranker, onnx_runtime};
pub use openai::{OpenAiEmbedder, Pace, Patience};
pub use rerank::{RerankSettings, Reranker};
pub use settings::{LocalSettings, OpenAiSettings, Settings};
pub use static_model::StaticEmbedder;
pub use usage::{Meter, Usage};

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A model that turns texts into unit-length vectors.
#[async_trait]
pub trait Embedder: Send + Sync {
    /// What the model is. Answered at once, without loading the model.
    fn description(&self) -> &Description;

    /// One embedding per text, in order; none for no texts. The vector of a text does not depend on the
    /// texts beside it. A text of white space alone has no vector.
    async fn embed_documents(&self, texts: &[String]) -> Result<Vec<Embedding>, Error>;

    /// The vector of a search text; none for white space alone.
    async fn embed_query(&self, text: &str) -> Result<Embedding, Error>;

    /// Tokens of each text as the model counts them, also those beyond what it reads.
    async fn count_tokens(&self, texts: &[String]) -> Result<Vec<usize>, Error>;

    /// What was spent on the model; `None` where nothing is.
    fn meter(&self) -> Option<&Meter> {
        None
    }
}

/// What a model is.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    pub backend: Backend,
    pub model: String,
    pub dimensions: usize,
    /// Tokens of one text that are read; the rest is cut off.
    pub max_tokens: usize,
    /// Texts that a worker gives to the model at a time: a second or a few of work.
    pub batch: usize,
    /// US dollars for a million tokens; `None` where nobody is paid.
    pub price: Option<f64>,
}

impl Description {
    /// What tells this model from others.
    pub fn key(&self) -> ModelKey {
        ModelKey { backend: self.backend, model: self.model.clone(), dimensions: self.dimensions }
    }
}

/// What tells models apart: vectors of different keys are never compared.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModelKey {
    pub backend: Backend,
    pub model: String,
    pub dimensions: usize,
}

/// What became of one text.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedding {
    /// Length 1, every number finite; `None` where the model knows no token of the text. Never made up.
    pub vector: Option<Vec<f32>>,
    /// Whether the text was longer than the model reads.
    pub is_truncated: bool,
}

/// The backends that can be chosen with `EMBEDDER`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Backend {
    /// The bundled static model: no download, microseconds a text.
    Static,
    /// A sentence-transformers model on this machine, through ONNX Runtime.
    Local,
    /// OpenAI, or any server that speaks its API.
    #[value(name = "openai")]
    OpenAi,
}

impl Backend {
    pub const ALL: [Self; 3] = [Self::Static, Self::Local, Self::OpenAi];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Local => "local",
            Self::OpenAi => "openai",
        }
    }
}

/// The text is not the name of a backend.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a backend; backends are static, local and openai")]
pub struct UnknownBackend(pub String);

impl FromStr for Backend {
    type Err = UnknownBackend;

    fn from_str(text: &str) -> Result<Self, UnknownBackend> {
        Self::ALL
            .into_iter()
            .find(|backend| backend.as_str() == text)
            .ok_or_else(|| UnknownBackend(text.to_owned()))
    }
}

/// Checks a raw vector and scales it to length 1; `None` for a vector without a direction.
pub(crate) fn normalized(
    mut vector: Vec<f32>,
    dimensions: usize,
) -> Result<Option<Vec<f32>>, Error> {
    if vector.len() != dimensions {
        return Err(Error::Dimensions { expected: dimensions, actual: vector.len() });
    }
    if vector.iter().any(|value| !value.is_finite()) {
        return Err(Error::NotFinite);
    }
    let norm = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    // Large numbers have a norm that no `f32` holds; divided by it they would all be zero.
    if !norm.is_finite() {
        return Err(Error::NotFinite);
    }
    if norm < 1e-6 {
        return Ok(None);
    }
    for value in &mut vector {
        *value /= norm;
    }
    Ok(Some(vector))
}
