//! How a space ranks, and how documents are cut for it.

use super::{Error, Result, Services};
use crate::model::hit::Fusion;
use crate::model::space::SpaceSettings;
use crate::model::{Space, Viewer};
use crate::store::space;

/// Tokens of a chunk, from the fewest to the most.
const CHUNK_TOKENS: std::ops::RangeInclusive<i32> = 16..=8_192;

/// What becomes of one setting.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Setting<T> {
    Keep,
    /// Back to the default.
    Reset,
    Set(T),
}

/// What becomes of the settings of a space.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpaceChanges {
    pub fusion: Setting<Fusion>,
    pub semantic_ratio: Setting<f64>,
    pub chunk_tokens: Setting<i32>,
    pub chunk_overlap: Setting<i32>,
}

impl<T> Setting<T> {
    fn of(self, present: Option<T>) -> Option<T> {
        match self {
            Self::Keep => present,
            Self::Reset => None,
            Self::Set(value) => Some(value),
        }
    }
}

impl SpaceChanges {
    fn of(self, present: SpaceSettings) -> SpaceSettings {
        SpaceSettings {
            fusion: self.fusion.of(present.fusion),
            semantic_ratio: self.semantic_ratio.of(present.semantic_ratio),
            chunk_tokens: self.chunk_tokens.of(present.chunk_tokens),
            chunk_overlap: self.chunk_overlap.of(present.chunk_overlap),
        }
    }
}

impl Services {
    /// Changes how a space ranks at once, and how documents are cut for it from the next write on.
    pub async fn configure_space(
        &self,
        viewer: Viewer,
        name: &str,
        changes: SpaceChanges,
    ) -> Result<Space> {
        let scope = self.administering(viewer)?;
        let space = self.space_named(name).await?;
        // What another process set a moment ago is kept.
        let present = space::by_name(&self.db, scope, &space.name).await?.unwrap_or(space);
        let settings = changes.of(present.settings);
        checked_settings(settings)?;
        space::configure(&self.db, scope, present.id, settings).await?;
        self.forget_spaces();
        Ok(Space { settings, ..present })
    }
}

/// Checks the bounds of the settings, alone and together.
pub(super) fn checked_settings(settings: SpaceSettings) -> Result<()> {
    if let Some(ratio) = settings.semantic_ratio
        && !(0.0..=1.0).contains(&ratio)
    {
        let problem = format!("must be between 0 and 1, but is {ratio}");
        return Err(Error::invalid("semanticRatio", problem));
    }
    if let Some(tokens) = settings.chunk_tokens
        && !CHUNK_TOKENS.contains(&tokens)
    {
        let (fewest, most) = (CHUNK_TOKENS.start(), CHUNK_TOKENS.end());
        let problem = format!("must be between {fewest} and {most}, but is {tokens}");
        return Err(Error::invalid("chunkTokens", problem));
    }
    let Some(overlap) = settings.chunk_overlap else { return Ok(()) };
    let most = settings.chunk_tokens.unwrap_or(*CHUNK_TOKENS.end()) / 2;
    if (0..=most).contains(&overlap) {
        return Ok(());
    }
    let problem = format!("must be between 0 and {most}, half of `chunkTokens`, but is {overlap}");
    Err(Error::invalid("chunkOverlap", problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(tokens: Option<i32>, overlap: Option<i32>, ratio: Option<f64>) -> SpaceSettings {
        SpaceSettings {
            fusion: None,
            semantic_ratio: ratio,
            chunk_tokens: tokens,
            chunk_overlap: overlap,
        }
    }

    #[test]
    fn settings_have_bounds_of_their_own_and_together() {
        for (tokens, overlap, ratio) in
            [(None, None, None), (Some(16), Some(8), Some(0.0)), (None, Some(100), Some(1.0))]
        {
            assert!(checked_settings(settings(tokens, overlap, ratio)).is_ok());
        }
        for (tokens, overlap, ratio) in [
            (Some(15), None, None),
            (Some(8_193), None, None),
            (Some(100), Some(51), None),
            (Some(100), Some(-1), None),
            (None, None, Some(f64::NAN)),
            (None, None, Some(1.5)),
        ] {
            let refused = checked_settings(settings(tokens, overlap, ratio));
            assert!(refused.is_err(), "{tokens:?} {overlap:?} {ratio:?}");
        }
    }

    #[test]
    fn what_is_not_named_stays_and_what_is_reset_is_gone() {
        let present = settings(Some(256), Some(32), Some(0.4));
        let changes = SpaceChanges {
            fusion: Setting::Set(Fusion::Weighted),
            semantic_ratio: Setting::Reset,
            chunk_tokens: Setting::Keep,
            chunk_overlap: Setting::Set(0),
        };
        let expected =
            SpaceSettings { fusion: Some(Fusion::Weighted), ..settings(Some(256), Some(0), None) };
        assert_eq!(changes.of(present), expected);
    }
}
