//! What models cost, written down by day and space.

use std::time::Duration;

use tokio::sync::watch;

use super::spaces::model_key;
use super::{Result, Services};
use crate::embed::{CacheStats, ModelKey, Usage};
use crate::model::stats::UsageDay;
use crate::model::{Scope, Space, Viewer, limits};
use crate::store::usage;

/// How often what searches spent is written down.
const INTERVAL: Duration = Duration::from_secs(10);

impl Services {
    /// Writes down what was spent since the last call. What cannot be written is kept for the next one.
    pub async fn record_usage(&self) {
        let mut spent = self.embedders.take_usage();
        if spent.is_empty() {
            return;
        }
        let spaces: Vec<Space> = match self.all_spaces_by_id().await {
            Ok(spaces) => spaces.into_values().collect(),
            Err(error) => {
                self.keep_usage(spent.drain(..).map(|(key, spent, _)| (key, spent)), &error);
                return;
            }
        };
        for (key, amount, price) in spent {
            let day = self.usage_day(&key, amount, &spaces);
            let price = price.unwrap_or(0.0);
            if let Err(error) = usage::add(&self.db, Scope::system(), &day, price).await {
                self.keep_usage([(key, amount)], &error);
            }
        }
    }

    /// Writes down what is spent every few seconds until `stop` turns true.
    pub async fn keep_recording_usage(&self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => self.record_usage().await,
                // An error means that nobody can stop this any more, so the process is ending.
                changed = stop.changed() => if changed.is_err() { return },
            }
        }
    }

    /// What was spent, latest day first; nothing unless the viewer is an administrator.
    pub async fn usage(&self, viewer: Viewer, first: i32) -> Result<Vec<UsageDay>> {
        let scope = self.reading(viewer)?;
        if !viewer.is_admin() {
            return Ok(Vec::new());
        }
        let page = super::page::Page::new(first, limits::LIST_FIRST, None, 0)?;
        let limit = u64::try_from(page.first).unwrap_or(u64::MAX);
        Ok(usage::latest(&self.db, scope, limit).await?)
    }

    /// How well query vectors are remembered; `None` unless the viewer is an administrator.
    pub fn query_cache(&self, viewer: Viewer) -> Option<CacheStats> {
        viewer.is_admin().then(|| self.embedders.cache_stats())
    }

    fn keep_usage(
        &self,
        spent: impl IntoIterator<Item = (ModelKey, Usage)>,
        error: &(dyn std::error::Error + 'static),
    ) {
        for (key, amount) in spent {
            self.embedders.give_back(&key, amount);
        }
        tracing::warn!(error, "What the embedding model cost could not be written down yet");
    }

    /// An amount under the name of the oldest space of a model; of the model, where there is none.
    fn usage_day(&self, key: &ModelKey, amount: Usage, spaces: &[Space]) -> UsageDay {
        let of_model =
            spaces.iter().filter(|space| model_key(space).is_ok_and(|found| found == *key));
        // Ids grow with time.
        let oldest = of_model.min_by_key(|space| space.id);
        let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        UsageDay {
            day: self.clock.now().date_naive(),
            space: oldest.map_or_else(|| key.model.clone(), |space| space.name.clone()),
            backend: key.backend.as_str().to_owned(),
            model: key.model.clone(),
            requests: signed(amount.requests),
            texts: signed(amount.texts),
            tokens: signed(amount.tokens),
            truncated: signed(amount.truncated),
            cost: 0.0,
        }
    }
}
