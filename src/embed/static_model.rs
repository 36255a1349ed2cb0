//! The bundled static model: a table of token vectors whose mean is the text's vector.
//!
//! How the table is made is written in `assets/static/README.md`.

use async_trait::async_trait;
use model2vec_rs::model::StaticModel;

use super::{Backend, Description, Embedder, Embedding, Error, normalized};

const TOKENIZER: &[u8] = include_bytes!("../../assets/static/tokenizer.json");
const TABLE: &[u8] = include_bytes!("../../assets/static/model.safetensors");
const CONFIG: &[u8] = include_bytes!("../../assets/static/config.json");

/// Tokens of one text that are read.
const MAX_TOKENS: usize = 512;

/// The static model that is part of the program. It runs where it is called: a text takes
/// microseconds, less than a hop to another thread.
pub struct StaticEmbedder {
    model: StaticModel,
    description: Description,
}

impl StaticEmbedder {
    /// Loads the table from the program itself.
    pub fn bundled() -> Result<Self, Error> {
        let model = StaticModel::from_bytes(TOKENIZER, TABLE, CONFIG, Some(true))
            .map_err(|error| Error::Load(error.into()))?;
        let description = Description {
            backend: Backend::Static,
            model: "kindred-static-256",
            dimensions: model.dim(),
            max_tokens: MAX_TOKENS,
        };
        Ok(Self { model, description })
    }

    fn embed(&self, text: &str) -> Result<Embedding, Error> {
        normalized(self.model.encode_single(text), self.description.dimensions)
    }
}

#[async_trait]
impl Embedder for StaticEmbedder {
    fn description(&self) -> &Description {
        &self.description
    }

    async fn embed_documents(&self, texts: &[String]) -> Result<Vec<Embedding>, Error> {
        texts.iter().map(|text| self.embed(text)).collect()
    }

    async fn embed_query(&self, text: &str) -> Result<Embedding, Error> {
        self.embed(text)
    }
}
