//! Cross-encoders: models that read a question and a text together and say how well the one answers
//! the other. Slower than comparing vectors, so they read only the best results.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Error, Settings};

/// A model that reads questions and texts together.
#[async_trait]
pub trait Reranker: Send + Sync {
    /// How well each text answers the question, in the order of the texts: any number, the higher the
    /// better.
    async fn scores(&self, query: &str, texts: Vec<String>) -> Result<Vec<f64>, Error>;
}

/// Which cross-encoder there is.
#[derive(Debug, Clone, Default)]
pub struct RerankSettings {
    /// Its name on the hub, such as `jinaai/jina-reranker-v1-turbo-en`.
    pub model: Option<String>,
    /// Folder with its files, instead of the hub.
    pub model_dir: Option<PathBuf>,
}

/// Makes the cross-encoder of the settings; it is loaded when it is first used. `None` where the settings
/// name none.
///
/// # Errors
/// [`Error::Load`] for a name that is not known, a folder that lacks a file, and a build without `local`.
pub(super) fn from_settings(settings: &Settings) -> Result<Option<Arc<dyn Reranker>>, Error> {
    let RerankSettings { model, model_dir } = &settings.rerank;
    if model.is_none() && model_dir.is_none() {
        return Ok(None);
    }
    #[cfg(feature = "local")]
    return Ok(Some(Arc::new(super::LocalReranker::new(&settings.local, &settings.rerank)?)));
    #[cfg(not(feature = "local"))]
    Err(Error::Load(
        "this build has no cross-encoders; build it with the feature `local`, or leave `RERANK_MODEL` and \
         `RERANK_MODEL_DIR` away"
            .into(),
    ))
}
