//! What was spent on a model.

use std::sync::{Mutex, PoisonError};

/// What was spent on a model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    pub requests: u64,
    pub texts: u64,
    /// As the backend counts them.
    pub tokens: u64,
    /// Texts that were cut off.
    pub truncated: u64,
}

impl Usage {
    pub fn is_none(self) -> bool {
        self == Self::default()
    }
}

/// Adds up what is spent until somebody writes it down.
#[derive(Debug, Default)]
pub struct Meter(Mutex<Usage>);

impl Meter {
    pub fn add(&self, usage: Usage) {
        let mut sum = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sum.requests += usage.requests;
        sum.texts += usage.texts;
        sum.tokens += usage.tokens;
        sum.truncated += usage.truncated;
    }

    /// What was added since the last call.
    pub fn take(&self) -> Usage {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
