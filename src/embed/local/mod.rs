//! A sentence-transformers model on this machine, through ONNX Runtime.

mod batch;
mod catalogue;
mod engine;
mod files;
mod reranker;
mod runtime;
mod session;
mod work;

use async_trait::async_trait;

use self::batch::Limits;
use self::catalogue::Card;
use self::engine::{Engine, Load, Model};
use self::files::ModelFolder;
use self::session::{Session, Source};
use super::{Backend, Description, Embedder, Embedding, Error, LocalSettings};

pub use reranker::LocalReranker;
pub use runtime::environment as onnx_runtime;

/// Sessions of a model that computes texts alone. One text keeps several threads badly busy, so two sessions
/// with half of the threads each are faster; more would take the weights as often again.
const SESSIONS_ALONE: usize = 2;

/// A model that runs on this machine. It is loaded with the first text, in a thread of its own, and leaves
/// memory after a rest if the settings say so.
pub struct LocalEmbedder {
    description: Description,
    engine: Engine,
}

impl LocalEmbedder {
    /// Describes the model; it is loaded when it is first used.
    ///
    /// # Errors
    /// [`Error::Load`] for a name that is not known, and for a folder that lacks a file; both say which.
    pub fn new(settings: &LocalSettings, model: Option<&str>) -> Result<Self, Error> {
        let (card, source) = locate(settings, model.unwrap_or(&settings.model))?;
        let description = Description {
            backend: Backend::Local,
            model: card.name.clone(),
            dimensions: card.dimensions,
            max_tokens: card.max_tokens,
            batch: batch_of(card.dimensions),
            price: None,
        };
        let (limits, sessions) = match card.is_alone() {
            true => (Limits::ALONE, SESSIONS_ALONE.min(settings.threads).max(1)),
            false => (Limits::TOGETHER, 1),
        };
        let unload_after = settings.unload_after;
        let mut settings = settings.clone();
        settings.threads = (settings.threads / sessions).max(1);
        let load: Load = Box::new(move || {
            let session = Session::load(&card, &source, &settings)?;
            let session: Box<dyn Model> = Box::new(session);
            Ok(session)
        });
        Ok(Self { description, engine: Engine::new(load, limits, sessions, unload_after) })
    }
}

/// What the model is, and where its files are.
fn locate(settings: &LocalSettings, name: &str) -> Result<(Card, Source), Error> {
    let known = catalogue::find(name);
    match (&settings.model_dir, known) {
        (Some(folder), Some(card)) => {
            let folder = ModelFolder::find(folder, &card.name)?;
            Ok((card, Source::Folder(folder)))
        }
        (Some(folder), None) => {
            check_name(name)?;
            let folder = ModelFolder::find(folder, name)?;
            Ok((folder.card(name)?, Source::Folder(folder)))
        }
        (None, known) => {
            let card = known.ok_or_else(|| unknown(name))?;
            let model = card.known.clone().ok_or_else(|| unknown(name))?;
            Ok((card, Source::Hub(model, settings.cache_dir.clone())))
        }
    }
}

/// A name becomes part of a path.
fn check_name(name: &str) -> Result<(), Error> {
    let is_fine = |char: char| char.is_ascii_alphanumeric() || matches!(char, '.' | '_' | '-');
    if name.chars().all(is_fine) && !name.starts_with('.') && !name.is_empty() {
        return Ok(());
    }
    let message = format!(
        "`{name}` is not the name of a model: names have letters, digits, `.`, `_` and `-`, and do not begin \
         with `.`"
    );
    Err(Error::Load(message.into()))
}

fn unknown(name: &str) -> Error {
    let message = format!(
        "`{name}` is not a model that can be fetched; those are {}; for another one, set `LOCAL_MODEL_DIR` to a \
         folder with its files",
        catalogue::names().join(", "),
    );
    Error::Load(message.into())
}

/// A few seconds of work for one core, over texts of a paragraph.
fn batch_of(dimensions: usize) -> usize {
    match dimensions {
        0..=512 => 64,
        513..=768 => 32,
        769.. => 16,
    }
}

#[async_trait]
impl Embedder for LocalEmbedder {
    fn description(&self) -> &Description {
        &self.description
    }

    async fn embed_documents(&self, texts: &[String]) -> Result<Vec<Embedding>, Error> {
        match texts {
            [] => Ok(Vec::new()),
            texts => self.engine.embed_documents(texts).await,
        }
    }

    async fn embed_query(&self, text: &str) -> Result<Embedding, Error> {
        self.engine.embed_query(text).await
    }

    async fn count_tokens(&self, texts: &[String]) -> Result<Vec<usize>, Error> {
        match texts {
            [] => Ok(Vec::new()),
            texts => self.engine.count_tokens(texts).await,
        }
    }
}
