//! A sentence-transformers model on this machine, through ONNX Runtime.

use async_trait::async_trait;

use super::{Description, Embedder, Embedding, Error, LocalSettings};

/// A model that runs on this machine.
pub struct LocalEmbedder {
    description: Description,
}

impl LocalEmbedder {
    /// Describes the model; it is loaded when it is first used.
    pub fn new(_settings: &LocalSettings, _model: Option<&str>) -> Result<Self, Error> {
        Err(Error::Load("`local` is not there yet".into()))
    }
}

#[async_trait]
impl Embedder for LocalEmbedder {
    fn description(&self) -> &Description {
        &self.description
    }

    async fn embed_documents(&self, _texts: &[String]) -> Result<Vec<Embedding>, Error> {
        Err(Error::Load("`local` is not there yet".into()))
    }

    async fn embed_query(&self, _text: &str) -> Result<Embedding, Error> {
        Err(Error::Load("`local` is not there yet".into()))
    }

    async fn count_tokens(&self, _texts: &[String]) -> Result<Vec<usize>, Error> {
        Err(Error::Load("`local` is not there yet".into()))
    }
}
