//! The models of this process: each is made when it is first asked for, and kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::cache::QueryCache;
use super::{
    Backend, CacheStats, Embedder, Embedding, Error, ModelKey, OpenAiEmbedder, Reranker, Settings,
    StaticEmbedder, Usage, rerank,
};

/// The models of this process.
pub struct Embedders {
    settings: Settings,
    default: Arc<dyn Embedder>,
    made: Mutex<HashMap<ModelKey, Arc<dyn Embedder>>>,
    /// Models beside those of the backends, found by the names they claim.
    registered: Vec<Arc<dyn Embedder>>,
    cache: QueryCache,
    reranker: Option<Arc<dyn Reranker>>,
}

impl Embedders {
    /// The models that the settings describe. The default one is made at once, which loads nothing large.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        let default = Self::load(&settings, settings.backend, None, None)?;
        let reranker = rerank::from_settings(&settings)?;
        Ok(Self { reranker, ..Self::of(settings, default) })
    }

    /// As [`Self::new`], with a default model that is already made.
    pub fn of(settings: Settings, default: Arc<dyn Embedder>) -> Self {
        let made = HashMap::from([(default.description().key(), default.clone())]);
        let cache = QueryCache::new(settings.cache_bytes);
        let (made, registered) = (Mutex::new(made), Vec::new());
        Self { settings, default, made, registered, cache, reranker: None }
    }

    /// Adds a model that no backend makes by itself; it is found by the backend and the name it claims.
    #[must_use]
    pub fn with(mut self, embedder: Arc<dyn Embedder>) -> Self {
        let made = self.made.get_mut().unwrap_or_else(PoisonError::into_inner);
        made.insert(embedder.description().key(), embedder.clone());
        self.registered.push(embedder);
        self
    }

    /// Sets the cross-encoder, instead of that of the settings.
    #[must_use]
    pub fn with_reranker(self, reranker: Arc<dyn Reranker>) -> Self {
        Self { reranker: Some(reranker), ..self }
    }

    /// The cross-encoder, if the settings name one.
    pub fn reranker(&self) -> Option<&Arc<dyn Reranker>> {
        self.reranker.as_ref()
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The model of `EMBEDDER`.
    pub fn default_model(&self) -> &Arc<dyn Embedder> {
        &self.default
    }

    /// The model of a key.
    ///
    /// # Errors
    /// [`Error::Load`] where the backend cannot run here or does not know the model, and
    /// [`Error::Dimensions`] where the model's vectors have another length.
    pub fn get(&self, key: &ModelKey) -> Result<Arc<dyn Embedder>, Error> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(embedder) = made.get(key) {
            return Ok(embedder.clone());
        }
        let model = Some(key.model.as_str());
        let embedder = Self::load(&self.settings, key.backend, model, Some(key.dimensions))?;
        let actual = embedder.description().dimensions;
        if actual != key.dimensions {
            return Err(Error::Dimensions { expected: key.dimensions, actual });
        }
        made.insert(key.clone(), embedder.clone());
        Ok(embedder)
    }

    /// A model by backend and name, with its own length of vectors unless another one is given.
    pub fn find(
        &self,
        backend: Backend,
        model: Option<&str>,
        dimensions: Option<usize>,
    ) -> Result<Arc<dyn Embedder>, Error> {
        let found = match self.registered(backend, model) {
            Some(embedder) => embedder,
            None => Self::load(&self.settings, backend, model, dimensions)?,
        };
        let description = found.description();
        if let Some(expected) = dimensions
            && expected != description.dimensions
        {
            return Err(Error::Dimensions { expected, actual: description.dimensions });
        }
        let key = description.key();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        // What was made just now is kept, unless the model is there already.
        Ok(made.entry(key).or_insert(found).clone())
    }

    fn registered(&self, backend: Backend, model: Option<&str>) -> Option<Arc<dyn Embedder>> {
        let claims = |embedder: &&Arc<dyn Embedder>| {
            let description = embedder.description();
            description.backend == backend && Some(description.model.as_str()) == model
        };
        self.registered.iter().find(claims).cloned()
    }

    /// Makes an embedder. A model that runs on this machine is loaded later, when it is first used.
    fn load(
        settings: &Settings,
        backend: Backend,
        model: Option<&str>,
        dimensions: Option<usize>,
    ) -> Result<Arc<dyn Embedder>, Error> {
        match backend {
            Backend::Static => {
                StaticEmbedder::check_name(model)?;
                Ok(Arc::new(StaticEmbedder::bundled()?))
            }
            #[cfg(feature = "local")]
            Backend::Local => Ok(Arc::new(super::LocalEmbedder::new(&settings.local, model)?)),
            #[cfg(not(feature = "local"))]
            Backend::Local => Err(Error::Load(
                "this build has no backend `local`; build it with the feature `local`".into(),
            )),
            Backend::OpenAi => {
                Ok(Arc::new(OpenAiEmbedder::new(&settings.openai, model, dimensions)?))
            }
        }
    }

    /// The vector of a search text, remembered where making it is not cheaper than looking it up.
    pub async fn embed_query(&self, key: &ModelKey, text: &str) -> Result<Embedding, Error> {
        let embedder = self.get(key)?;
        match key.backend {
            Backend::Static => embedder.embed_query(text).await,
            Backend::Local | Backend::OpenAi => {
                self.cache.get_or_embed(key, text, embedder.as_ref()).await
            }
        }
    }

    /// How well query vectors are remembered.
    pub fn cache_stats(&self) -> CacheStats {
        self.cache.stats()
    }

    /// What was spent on each model since the last call.
    pub fn take_usage(&self) -> Vec<(ModelKey, Usage, Option<f64>)> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.iter()
            .filter_map(|(key, embedder)| {
                let usage = embedder.meter()?.take();
                let price = embedder.description().price;
                (!usage.is_none()).then(|| (key.clone(), usage, price))
            })
            .collect()
    }

    /// Takes back what [`Self::take_usage`] gave and could not be written down.
    pub fn give_back(&self, key: &ModelKey, usage: Usage) {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(meter) = made.get(key).and_then(|embedder| embedder.meter()) {
            meter.add(usage);
        }
    }
}
