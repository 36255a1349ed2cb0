//! How a space ranks where neither the request nor the space says so.

use crate::embed::Backend;
use crate::model::Space;
use crate::model::hit::Fusion;

/// How the two legs become one list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::service) struct Ranking {
    pub fusion: Fusion,
    /// Share of meaning, from 0 to 1.
    pub ratio: f64,
}

/// Chosen by measurement over public test collections, one for all of them; see ARCHITECTURE.md.
const FUSION: Fusion = Fusion::RelativeScore;
/// With the bundled model words are the stronger leg over documents, meaning over songs.
const STATIC_RATIO: f64 = 0.5;
/// With a sentence model meaning is the stronger leg.
const MODEL_RATIO: f64 = 0.65;

/// The ranking of a space: its own settings, and the defaults for what it does not set.
pub(in crate::service) fn ranking_of(space: &Space) -> Ranking {
    let usual = match space.backend.parse() {
        Ok(Backend::Static) | Err(_) => STATIC_RATIO,
        Ok(Backend::Local | Backend::OpenAi) => MODEL_RATIO,
    };
    Ranking {
        fusion: space.settings.fusion.unwrap_or(FUSION),
        ratio: space.settings.semantic_ratio.unwrap_or(usual),
    }
}
