//! OpenAI, or any server that speaks its API.

use async_trait::async_trait;

use super::{Description, Embedder, Embedding, Error, OpenAiSettings};

/// A model behind the API of OpenAI.
pub struct OpenAiEmbedder {
    description: Description,
}

impl OpenAiEmbedder {
    /// Describes the model; nothing is sent before the first text.
    pub fn new(
        _settings: &OpenAiSettings,
        _model: Option<&str>,
        _dimensions: Option<usize>,
    ) -> Result<Self, Error> {
        Err(Error::Load("`openai` is not there yet".into()))
    }
}

#[async_trait]
impl Embedder for OpenAiEmbedder {
    fn description(&self) -> &Description {
        &self.description
    }

    async fn embed_documents(&self, _texts: &[String]) -> Result<Vec<Embedding>, Error> {
        Err(Error::Load("`openai` is not there yet".into()))
    }

    async fn embed_query(&self, _text: &str) -> Result<Embedding, Error> {
        Err(Error::Load("`openai` is not there yet".into()))
    }

    async fn count_tokens(&self, _texts: &[String]) -> Result<Vec<usize>, Error> {
        Err(Error::Load("`openai` is not there yet".into()))
    }
}
