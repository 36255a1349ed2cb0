//! Which model a command uses.

use clap::Args;

use super::CliError;
use crate::app::{self, StartError};
use crate::config::Config;
use crate::embed::{Backend, Embedder, Embedders};
use std::sync::Arc;

/// Which model a command uses.
#[derive(Debug, Clone, Args)]
pub(super) struct ModelChoice {
    /// Backend of the model [default: the one of `EMBEDDER`]
    #[arg(long, value_enum)]
    backend: Option<Backend>,

    /// Model of that backend [default: the one of `LOCAL_MODEL` or `OPENAI_MODEL`]
    #[arg(long, value_name = "NAME")]
    model: Option<String>,

    /// Numbers of one vector [default: the model's own]
    #[arg(long, value_name = "COUNT")]
    dimensions: Option<usize>,
}

impl ModelChoice {
    /// The model, without a database.
    pub(super) fn find(&self, config: &Config) -> Result<Arc<dyn Embedder>, CliError> {
        let settings = app::embed_settings(config);
        let backend = self.backend.unwrap_or(settings.backend);
        // Only the chosen backend must work here.
        let embedders = Embedders::new(crate::embed::Settings { backend, ..settings });
        let found = embedders
            .and_then(|embedders| embedders.find(backend, self.model.as_deref(), self.dimensions));
        Ok(found.map_err(StartError::Embed)?)
    }
}
