//! The bundled static model: a table of token vectors whose mean is the text's vector.
//!
//! How the table is made is written in `assets/static/README.md`.

use std::sync::OnceLock;

use async_trait::async_trait;
use model2vec_rs::model::StaticModel;
use tokenizers::Tokenizer;

use super::{Backend, Description, Embedder, Embedding, Error, normalized};

const TOKENIZER: &[u8] = include_bytes!("../../assets/static/tokenizer.json");
const TABLE: &[u8] = include_bytes!("../../assets/static/model.safetensors");
const CONFIG: &[u8] = include_bytes!("../../assets/static/config.json");

/// Tokens of one text that are read.
const MAX_TOKENS: usize = 512;
/// Texts that a worker embeds at a time; the statement that writes them is what takes time.
const BATCH: usize = 2_000;
const NAME: &str = "kindred-static-256";

/// The static model that is part of the program. It runs where it is called: a text takes
/// microseconds, less than a hop to another thread.
pub struct StaticEmbedder {
    model: StaticModel,
    /// Only for counting: the model has a faster one of its own for embedding.
    tokenizer: OnceLock<Option<Tokenizer>>,
    description: Description,
}

impl StaticEmbedder {
    /// Loads the table from the program itself.
    pub fn bundled() -> Result<Self, Error> {
        let model = StaticModel::from_bytes(TOKENIZER, TABLE, CONFIG, Some(true))
            .map_err(|error| Error::Load(error.into()))?;
        let description = Description {
            backend: Backend::Static,
            model: NAME.to_owned(),
            dimensions: model.dim(),
            max_tokens: MAX_TOKENS,
            batch: BATCH,
            price: None,
        };
        Ok(Self { model, tokenizer: OnceLock::new(), description })
    }

    /// There is one static model; another name is a mistake.
    pub(super) fn check_name(name: Option<&str>) -> Result<(), Error> {
        match name {
            Some(name) if name != NAME => {
                let message = format!("`{name}` is not a static model; the only one is `{NAME}`");
                Err(Error::Load(message.into()))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn embed(&self, text: &str) -> Result<Embedding, Error> {
        let vector = normalized(self.model.encode_single(text), self.description.dimensions)?;
        // A token has at least one byte, so most texts need no counting.
        let is_truncated = text.len() > MAX_TOKENS && self.count(text)? > MAX_TOKENS;
        Ok(Embedding { vector, is_truncated })
    }

    fn count(&self, text: &str) -> Result<usize, Error> {
        let tokenizer = self.tokenizer.get_or_init(|| Tokenizer::from_bytes(TOKENIZER).ok());
        let broken = || Error::Load("the bundled tokenizer cannot be read".into());
        let encoding = tokenizer.as_ref().ok_or_else(broken)?.encode_fast(text, false);
        Ok(encoding.map_err(Error::Load)?.len())
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

    async fn count_tokens(&self, texts: &[String]) -> Result<Vec<usize>, Error> {
        texts.iter().map(|text| self.count(text)).collect()
    }
}
