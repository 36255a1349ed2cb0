//! What an operator decides about the models.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::{Backend, RerankSettings};

/// What an operator decides about the models.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The backend whose space answers for kinds that have none yet.
    pub backend: Backend,
    pub local: LocalSettings,
    pub openai: OpenAiSettings,
    pub rerank: RerankSettings,
    /// Bytes of remembered query vectors.
    pub cache_bytes: u64,
}

/// Settings of the backend `local`.
#[derive(Debug, Clone)]
pub struct LocalSettings {
    /// Name of the model, such as `all-MiniLM-L6-v2`.
    pub model: String,
    /// Folder with the model's files, or with a folder of that name that holds them. Without one they come
    /// from the Hugging Face hub.
    pub model_dir: Option<PathBuf>,
    /// Where files from the hub are kept.
    pub cache_dir: PathBuf,
    /// The shared library of ONNX Runtime; without one it is looked for where the system keeps libraries.
    pub onnx_runtime: Option<PathBuf>,
    /// Threads that compute one batch.
    pub threads: usize,
    /// The model leaves memory after resting so long; zero keeps it.
    pub unload_after: Duration,
}

/// Settings of the backend `openai`.
#[derive(Debug, Clone)]
pub struct OpenAiSettings {
    /// Name of the model, such as `text-embedding-3-small`.
    pub model: String,
    /// Length of a vector; `None` takes the model's own.
    pub dimensions: Option<usize>,
    pub api_key: Option<SecretString>,
    /// Where the API answers, without the `/embeddings` at the end.
    pub base_url: String,
    /// Tokens of one text that are sent; the rest is cut off.
    pub max_tokens: usize,
    /// A request that takes longer has failed.
    pub timeout: Duration,
    /// Requests under way at a time.
    pub concurrency: usize,
    /// US dollars for a million tokens; `None` takes what is known of the model.
    pub price: Option<f64>,
}
