//! Spaces whose model is away: they are left alone for a while, and others go on.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::model::Space;

/// The first pause; each further one is twice as long.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(1);

/// A model that cannot be used, whatever the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Away {
    pub why: String,
    /// How long it asked to be left alone.
    pub retry_after: Option<Duration>,
    /// Whether waiting does not help, but a change of settings.
    pub is_lasting: bool,
}

/// Spaces that are left alone, each until its time.
#[derive(Debug, Default)]
pub(super) struct Pauses(HashMap<Uuid, Pause>);

#[derive(Debug)]
struct Pause {
    until: Instant,
    /// Failures without a success between them.
    failures: u32,
    why: String,
    /// Whether waiting does not help, but a change of settings.
    is_lasting: bool,
}

impl Pauses {
    /// Leaves a space alone for as long as its model asked, or else longer and longer.
    pub(super) fn pause(&mut self, space: &Space, away: &Away) {
        let failures = self.0.get(&space.id).map_or(0, |pause| pause.failures).saturating_add(1);
        let backoff = FIRST.saturating_mul(2_u32.saturating_pow(failures - 1)).min(LONGEST);
        let Away { why, retry_after, is_lasting } = away;
        let wait = retry_after.unwrap_or(backoff);
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        tracing::warn!(
            space.name = %space.name,
            wait_ms,
            "Leaving the space {} alone for a while: {why}",
            space.name
        );
        let until = Instant::now() + wait;
        let (why, is_lasting) = (why.clone(), *is_lasting);
        self.0.insert(space.id, Pause { until, failures, why, is_lasting });
    }

    /// The model of a space answered.
    pub(super) fn works(&mut self, space: Uuid) {
        self.0.remove(&space);
    }

    pub(super) fn is_paused(&self, space: Uuid) -> bool {
        self.0.get(&space).is_some_and(|pause| pause.until > Instant::now())
    }

    /// How long the first pause still takes.
    pub(super) fn first_end(&self) -> Option<Duration> {
        let now = Instant::now();
        let left = self.0.values().map(|pause| pause.until.saturating_duration_since(now));
        left.filter(|left| !left.is_zero()).min()
    }

    /// Why texts wait where waiting does not help.
    pub(super) fn obstacle(&self) -> Option<String> {
        let mut lasting = self.0.values().filter(|pause| pause.is_lasting);
        lasting.next().map(|pause| pause.why.clone())
    }
}
