//! How a space ranks where neither the request nor the space says so.

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
const DEFAULT: Ranking = Ranking { fusion: Fusion::Weighted, ratio: 0.6 };

/// The ranking of a space: its own settings, and the defaults for what it does not set.
pub(in crate::service) fn ranking_of(space: &Space) -> Ranking {
    Ranking {
        fusion: space.settings.fusion.unwrap_or(DEFAULT.fusion),
        ratio: space.settings.semantic_ratio.unwrap_or(DEFAULT.ratio),
    }
}
