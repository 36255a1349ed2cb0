//! How a space begins and ends.

use std::collections::BTreeSet;
use std::time::Duration;

use super::backfill::checked_rate;
use super::configure::checked_settings;
use crate::embed::{Backend, UnknownBackend};
use crate::model::space::SpaceSettings;
use crate::model::{Kind, Space, Viewer, limits};
use crate::service::commit;
use crate::service::{Error, Result, Services};
use crate::store::{space, space_fill, space_switch};

/// How long the first tries of a change wait for locks, and how long the last ones do: an automatic
/// vacuum gives way only to somebody who waits for a second.
const PATIENCE: [Duration; 2] = [Duration::from_millis(250), Duration::from_millis(1_500)];
/// Tries before a change is given up, and how many of them are short.
const TRIES: [u32; 2] = [12, 8];
/// Between two tries whoever queued behind gets on.
const PAUSE: Duration = Duration::from_millis(200);

/// A space to be made.
#[derive(Debug, Clone)]
pub struct NewSpace {
    pub name: String,
    pub backend: String,
    /// The default is the backend's own.
    pub model: Option<String>,
    pub dimensions: Option<i32>,
    /// `None` stands for every kind.
    pub kinds: Option<Vec<Kind>>,
    /// Whether it is filled at once.
    pub backfill: Backfill,
    pub texts_per_second: Option<i32>,
    pub settings: SpaceSettings,
}

/// Whether a new space is filled at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backfill {
    Now,
    Later,
}

impl Services {
    /// Makes a space with room for some kinds.
    pub async fn create_space(&self, viewer: Viewer, new: NewSpace) -> Result<Space> {
        let scope = self.administering(viewer)?;
        checked_name(&new.name)?;
        checked_rate(new.texts_per_second)?;
        checked_settings(new.settings)?;
        let kinds = new.kinds.as_deref().map_or(Ok(Kind::ALL.to_vec()), checked_kinds)?;
        let space = self.described(&new)?;
        let now = self.clock.now();
        let is_new = self
            .patiently(|patience| {
                let (space, kinds, new) = (&space, &kinds, &new);
                async move {
                    let mut tx = space::begin_change(&self.db, scope, patience).await?;
                    if !space::create(&mut tx, scope, space, kinds).await? {
                        return Ok(false);
                    }
                    if new.backfill == Backfill::Now {
                        let rate = new.texts_per_second;
                        space_fill::start(&mut tx, scope, space.id, kinds, rate, now).await?;
                    }
                    commit(tx).await?;
                    Ok(true)
                }
            })
            .await?;
        if !is_new {
            return Err(Error::invalid("name", format!("`{}` is taken", space.name)));
        }
        self.spaces_changed();
        Ok(space)
    }

    /// The space that a request describes, with what its backend says of the model.
    fn described(&self, new: &NewSpace) -> Result<Space> {
        let backend: Backend = new
            .backend
            .parse()
            .map_err(|error: UnknownBackend| Error::invalid("backend", error.to_string()))?;
        let dimensions = new.dimensions.map(checked_dimensions).transpose()?;
        let embedder = self
            .embedders
            .find(backend, new.model.as_deref(), dimensions)
            .map_err(|error| Error::invalid("model", format!("cannot be used: {error}")))?;
        let key = embedder.description().key();
        if key.dimensions > limits::DIMENSIONS {
            let problem = format!(
                "makes vectors of {} dimensions; {} are allowed",
                key.dimensions,
                limits::DIMENSIONS
            );
            return Err(Error::invalid("model", problem));
        }
        Ok(Space { settings: new.settings, ..self.new_space(new.name.clone(), key) })
    }

    /// Removes a space with everything in it; one that answers for a kind is refused.
    pub async fn drop_space(&self, viewer: Viewer, name: &str) -> Result<Space> {
        let scope = self.administering(viewer)?;
        let space = self.space_named(name).await?;
        let catalogue = self.catalogue().await?;
        let active = Kind::ALL
            .into_iter()
            .filter(|kind| catalogue.active_for(*kind).is_some_and(|active| active.id == space.id));
        refuse_active(name, &active.collect::<Vec<_>>())?;
        space_switch::quiet(&self.db, scope, space.id).await?;
        let active = self
            .patiently(|patience| {
                let space = &space;
                async move {
                    let mut tx = space::begin_change(&self.db, scope, patience).await?;
                    space::hold_writers(&mut tx, scope).await?;
                    let active = space_switch::remove(&mut tx, scope, space).await?;
                    commit(tx).await?;
                    Ok(active)
                }
            })
            .await?;
        self.forget_spaces();
        refuse_active(name, &active)?;
        tracing::info!(space.name = %space.name, "Dropped {}", space.name);
        Ok(space)
    }

    /// A space and the kinds that were named, or all that it holds.
    pub(super) async fn held_of(
        &self,
        name: &str,
        kinds: Option<&[Kind]>,
    ) -> Result<(Space, Vec<Kind>)> {
        let space = self.space_named(name).await?;
        let mut held: Vec<Kind> =
            self.catalogue().await?.held_by(&space).map(|held| held.kind).collect();
        held.sort();
        let Some(kinds) = kinds else { return Ok((space, held)) };
        let kinds = checked_kinds(kinds)?;
        if let Some(foreign) = kinds.iter().find(|kind| !held.contains(kind)) {
            let problem = format!("names {foreign}, which `{name}` does not hold");
            return Err(Error::invalid("kinds", problem));
        }
        Ok((space, kinds))
    }

    /// Changes tables that others read and write: gives up soon where they are locked, so that nobody
    /// waits behind it for long, and tries again.
    pub(super) async fn patiently<T, F>(&self, change: impl Fn(Duration) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let [most, most_short] = TRIES;
        let mut count = 1;
        loop {
            let [short, long] = PATIENCE;
            let patience = if count <= most_short { short } else { long };
            match change(patience).await {
                Err(Error::StoreAway(error)) if error.is_lock_conflict() && count < most => {
                    count += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                outcome => return outcome,
            }
        }
    }
}

fn refuse_active(name: &str, kinds: &[Kind]) -> Result<()> {
    match kinds.first() {
        Some(kind) => {
            let problem =
                format!("`{name}` answers for {kind}; promote another space for it first");
            Err(Error::invalid("space", problem))
        }
        None => Ok(()),
    }
}

/// Checks the kinds of a request: some, each once, in order.
pub(super) fn checked_kinds(kinds: &[Kind]) -> Result<Vec<Kind>> {
    if kinds.is_empty() {
        return Err(Error::invalid("kinds", "is empty; name at least one kind, or leave it out"));
    }
    Ok(kinds.iter().copied().collect::<BTreeSet<_>>().into_iter().collect())
}

fn checked_dimensions(dimensions: i32) -> Result<usize> {
    usize::try_from(dimensions)
        .ok()
        .filter(|dimensions| (1..=limits::DIMENSIONS).contains(dimensions))
        .ok_or_else(|| {
            let most = limits::DIMENSIONS;
            Error::invalid(
                "dimensions",
                format!("must be between 1 and {most}, but is {dimensions}"),
            )
        })
}

/// Checks the name of a new space.
fn checked_name(name: &str) -> Result<()> {
    let begins_well = name.starts_with(|first: char| first.is_ascii_alphanumeric());
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "._-/".contains(letter);
    if begins_well && name.len() <= limits::SPACE_NAME_CHARS && name.chars().all(is_plain) {
        return Ok(());
    }
    let shown: String = name.chars().take(limits::SPACE_NAME_CHARS).collect();
    let problem = format!(
        "must be 1 to {} letters, digits, `.`, `_`, `-` or `/`, and begin with a letter or a digit, but is `{shown}`",
        limits::SPACE_NAME_CHARS
    );
    Err(Error::invalid("name", problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for name in ["a", "2026-11", "BAAI/bge-small-en-v1.5", &"a".repeat(100)] {
            assert!(checked_name(name).is_ok(), "{name}");
        }
        for name in ["", "-a", " a", "a b", "a'b", "a\"b", "ä", "a;--", "a\0", &"a".repeat(101)] {
            assert!(checked_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn kinds_are_some_and_each_once() {
        assert!(checked_kinds(&[]).is_err());
        let kinds = checked_kinds(&[Kind::Job, Kind::Song, Kind::Job]).unwrap();
        assert_eq!(kinds, [Kind::Song, Kind::Job]);
    }
}
