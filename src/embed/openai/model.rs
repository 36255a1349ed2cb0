//! What is known of the models of OpenAI, and what a setting must say of others.

use crate::embed::{Error, OpenAiSettings};

/// Longest vector that the database can index.
const MAX_DIMENSIONS: usize = 4_000;

/// A model of OpenAI.
struct Known {
    name: &'static str,
    dimensions: usize,
    /// Whether a request may ask for shorter vectors.
    can_be_shortened: bool,
    /// US dollars for a million tokens, as OpenAI announced them in January 2024 for the third generation
    /// (<https://openai.com/index/new-embedding-models-and-api-updates/>); `OPENAI_PRICE` replaces them.
    price: f64,
}

const KNOWN: [Known; 3] = [
    Known {
        name: "text-embedding-3-small",
        dimensions: 1_536,
        can_be_shortened: true,
        price: 0.02,
    },
    Known {
        name: "text-embedding-3-large",
        dimensions: 3_072,
        can_be_shortened: true,
        price: 0.13,
    },
    Known {
        name: "text-embedding-ada-002",
        dimensions: 1_536,
        can_be_shortened: false,
        price: 0.10,
    },
];

/// A model as requests name it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Model {
    pub(super) name: String,
    pub(super) dimensions: usize,
    /// What a request asks for, where that is not the model's own.
    pub(super) asked_dimensions: Option<u32>,
    /// US dollars for a million tokens.
    pub(super) price: Option<f64>,
}

impl Model {
    /// The model that was asked for, or the one of the settings.
    pub(super) fn of(
        settings: &OpenAiSettings,
        model: Option<&str>,
        dimensions: Option<usize>,
    ) -> Result<Self, Error> {
        let name = model.unwrap_or(&settings.model).trim();
        if name.is_empty() {
            return Err(Error::Load("`OPENAI_MODEL` is empty; name a model".into()));
        }
        // Settings are about the model that they name, not about others.
        let is_set = name == settings.model.trim();
        let dimensions = dimensions.or(settings.dimensions.filter(|_| is_set));
        let price = settings.price.filter(|_| is_set);
        let model = match KNOWN.iter().find(|known| known.name == name) {
            Some(known) => Self::known(known, dimensions)?,
            None => Self::other(name, dimensions)?,
        };
        Ok(Self { price: price.or(model.price), ..model })
    }

    fn known(known: &Known, dimensions: Option<usize>) -> Result<Self, Error> {
        let (name, own) = (known.name, known.dimensions);
        let dimensions = dimensions.unwrap_or(own);
        if dimensions != own && !known.can_be_shortened {
            let message = format!(
                "`{name}` makes vectors of {own} numbers and no others, but `OPENAI_DIMENSIONS` is {dimensions}"
            );
            return Err(Error::Load(message.into()));
        }
        if !(1..=own).contains(&dimensions) {
            let message = format!(
                "`OPENAI_DIMENSIONS` must be between 1 and {own} for `{name}`, but is {dimensions}"
            );
            return Err(Error::Load(message.into()));
        }
        Ok(Self {
            name: name.to_owned(),
            dimensions,
            asked_dimensions: u32::try_from(dimensions).ok().filter(|_| dimensions != own),
            price: Some(known.price),
        })
    }

    fn other(name: &str, dimensions: Option<usize>) -> Result<Self, Error> {
        let Some(dimensions) = dimensions else {
            let message = format!(
                "`{name}` is not a model of OpenAI; set `OPENAI_DIMENSIONS` to the length of its vectors"
            );
            return Err(Error::Load(message.into()));
        };
        if !(1..=MAX_DIMENSIONS).contains(&dimensions) {
            let message = format!(
                "`OPENAI_DIMENSIONS` must be between 1 and {MAX_DIMENSIONS}, but is {dimensions}"
            );
            return Err(Error::Load(message.into()));
        }
        Ok(Self { name: name.to_owned(), dimensions, asked_dimensions: None, price: None })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn settings(model: &str, dimensions: Option<usize>, price: Option<f64>) -> OpenAiSettings {
        OpenAiSettings {
            model: model.to_owned(),
            dimensions,
            api_key: None,
            base_url: String::new(),
            max_tokens: 8_191,
            timeout: Duration::from_secs(20),
            concurrency: 4,
            price,
        }
    }

    fn message(settings: &OpenAiSettings, dimensions: Option<usize>) -> String {
        Model::of(settings, None, dimensions).unwrap_err().to_string()
    }

    #[test]
    fn dimensions_are_asked_for_only_where_they_differ_from_the_models_own() {
        let small = settings("text-embedding-3-small", None, None);
        let model = Model::of(&small, None, None).unwrap();
        assert_eq!((model.dimensions, model.asked_dimensions), (1_536, None));
        let model = Model::of(&small, None, Some(1_536)).unwrap();
        assert_eq!((model.dimensions, model.asked_dimensions), (1_536, None));
        let model = Model::of(&small, Some("text-embedding-3-large"), Some(256)).unwrap();
        assert_eq!((model.dimensions, model.asked_dimensions), (256, Some(256)));
        let other = settings("nomic-embed-text", Some(768), None);
        let model = Model::of(&other, None, None).unwrap();
        assert_eq!((model.dimensions, model.asked_dimensions, model.price), (768, None, None));
    }

    #[test]
    fn settings_are_about_the_model_that_they_name() {
        let set = settings("text-embedding-3-small", Some(512), Some(1.5));
        let model = Model::of(&set, None, None).unwrap();
        assert_eq!((model.dimensions, model.price), (512, Some(1.5)));
        let model = Model::of(&set, Some("text-embedding-3-large"), None).unwrap();
        assert_eq!((model.dimensions, model.price), (3_072, Some(0.13)));
        let model = Model::of(&set, Some("text-embedding-ada-002"), None).unwrap();
        assert_eq!((model.dimensions, model.price), (1_536, Some(0.10)));
    }

    #[test]
    fn dimensions_that_no_vector_can_have_are_refused_with_what_is_allowed() {
        let ada = settings("text-embedding-ada-002", Some(256), None);
        assert!(message(&ada, None).contains("1536 numbers and no others"));
        let small = settings("text-embedding-3-small", Some(3_072), None);
        assert!(message(&small, None).contains("between 1 and 1536"));
        assert!(message(&small, Some(0)).contains("but is 0"));
        let other = settings("nomic-embed-text", None, None);
        assert!(message(&other, None).contains("set `OPENAI_DIMENSIONS`"));
        assert!(message(&other, Some(4_001)).contains("between 1 and 4000"));
        assert!(message(&settings(" ", None, None), None).contains("`OPENAI_MODEL` is empty"));
    }
}
