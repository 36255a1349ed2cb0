//! A space from its making to its end.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use uuid::Uuid;

use super::backfill::checked_rate;
use super::{TEMPLATE_VERSION, commit};
use crate::embed::{Backend, UnknownBackend};
use crate::model::space::{FillState, SpaceState};
use crate::model::{Kind, Scope, Space, Viewer, limits};
use crate::service::{Error, Result, Services};
use crate::store::space_switch::{self, Active};
use crate::store::{Tx, space, space_fill};

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
}

/// Whether a new space is filled at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backfill {
    Now,
    Later,
}

/// What becomes of a promotion to a space that lacks vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfIncomplete {
    Refuse,
    PromoteAnyway,
}

impl Services {
    /// Makes a space with room for some kinds.
    pub async fn create_space(&self, viewer: Viewer, new: NewSpace) -> Result<Space> {
        let scope = self.administering(viewer)?;
        checked_name(&new.name)?;
        checked_rate(new.texts_per_second)?;
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
        Ok(Space {
            id: self.clock.new_id(),
            name: new.name.clone(),
            backend: key.backend.as_str().to_owned(),
            model: key.model,
            dimensions: key.dimensions,
            template_version: TEMPLATE_VERSION,
            state: SpaceState::Building,
            created_at: self.clock.now(),
        })
    }

    /// Lets a space answer for kinds, all at once. Returns the kinds.
    pub async fn promote_space(
        &self,
        viewer: Viewer,
        name: &str,
        kinds: Option<&[Kind]>,
        if_incomplete: IfIncomplete,
    ) -> Result<(Space, Vec<Kind>)> {
        let scope = self.administering(viewer)?;
        let (space, kinds) = self.held_of(name, kinds).await?;
        self.patiently(|patience| {
            let (space, kinds) = (&space, &kinds);
            async move {
                let mut tx = space::begin_change(&self.db, scope, patience).await?;
                space_switch::lock_active(&mut tx, scope, kinds).await?;
                self.switch(&mut tx, scope, space, kinds, if_incomplete).await?;
                space_switch::settle_states(&mut tx, scope).await?;
                commit(tx).await
            }
        })
        .await?;
        tracing::info!(space.name = %space.name, "{} answers for {kinds:?} now", space.name);
        self.spaces_changed();
        Ok((self.space_named(name).await?, kinds))
    }

    /// Goes back to the spaces that answered before the last promotion. `None` stands for every kind
    /// that has one. Returns the kinds with the spaces that answer for them now.
    pub async fn rollback_space(
        &self,
        viewer: Viewer,
        kinds: Option<&[Kind]>,
        if_incomplete: IfIncomplete,
    ) -> Result<Vec<(Kind, Space)>> {
        let scope = self.administering(viewer)?;
        let wanted = kinds.map(checked_kinds).transpose()?;
        let switched = self
            .patiently(|patience| {
                let wanted = wanted.as_deref();
                async move {
                    self.forget_spaces();
                    let spaces = self.all_spaces_by_id().await?;
                    let mut tx = space::begin_change(&self.db, scope, patience).await?;
                    let among = wanted.unwrap_or(&Kind::ALL);
                    let active = space_switch::lock_active(&mut tx, scope, among).await?;
                    let switched = previous(&spaces, active, wanted.is_some())?;
                    for (kind, space) in &switched {
                        self.switch(&mut tx, scope, space, &[*kind], if_incomplete).await?;
                    }
                    space_switch::settle_states(&mut tx, scope).await?;
                    commit(tx).await?;
                    Ok(switched)
                }
            })
            .await?;
        self.spaces_changed();
        let mut current = Vec::with_capacity(switched.len());
        for (kind, space) in switched {
            current.push((kind, self.space_named(&space.name).await?));
        }
        Ok(current)
    }

    /// Lets a space answer for kinds, in a transaction that has locked what answers now.
    async fn switch(
        &self,
        tx: &mut Tx,
        scope: Scope,
        space: &Space,
        kinds: &[Kind],
        if_incomplete: IfIncomplete,
    ) -> Result<()> {
        let held = space_switch::keep(tx, scope, space.id).await?;
        let held = held.ok_or_else(|| Error::NotFound(format!("the space `{}`", space.name)))?;
        if if_incomplete == IfIncomplete::Refuse {
            self.check_complete(tx, scope, space, kinds, &held).await?;
        }
        let is_idle =
            |kind: &&Kind| !held.iter().any(|(other, state)| other == *kind && state.is_written());
        let idle: Vec<Kind> = kinds.iter().filter(is_idle).copied().collect();
        let now = self.clock.now();
        // What answers must be written to, and what it lacks is filled in.
        if !idle.is_empty() {
            space::hold_writers(tx, scope).await?;
            space_fill::start(tx, scope, space.id, &idle, None, now).await?;
        }
        for kind in kinds {
            space_switch::activate(tx, scope, *kind, space.id, now).await?;
        }
        Ok(())
    }

    async fn check_complete(
        &self,
        tx: &mut Tx,
        scope: Scope,
        space: &Space,
        kinds: &[Kind],
        held: &[(Kind, FillState)],
    ) -> Result<()> {
        let name = &space.name;
        if let Err(error) = self.embedder_of(space) {
            let problem = format!(
                "`{name}` cannot answer here: {error}; pass `force: true` to promote it anyway"
            );
            return Err(Error::invalid("space", problem));
        }
        for kind in kinds {
            let is_current = held.contains(&(*kind, FillState::Current));
            // While it is filled, rows that wait are what it lacks.
            let recently = if is_current { self.recently() } else { self.clock.now() };
            let coverage = space_switch::coverage(tx, scope, space, *kind, recently).await?;
            if coverage.lacking > 0 {
                let problem = format!(
                    "`{name}` lacks vectors of {} of {} rows of {kind}; fill it first, or pass `force: true`",
                    coverage.lacking, coverage.rows
                );
                return Err(Error::invalid("space", problem));
            }
        }
        Ok(())
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
        let [tries, short_tries] = TRIES;
        let mut tried = 1;
        loop {
            let [short, long] = PATIENCE;
            let patience = if tried <= short_tries { short } else { long };
            match change(patience).await {
                Err(Error::StoreAway(error)) if error.is_lock_conflict() && tried < tries => {
                    tried += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                outcome => return outcome,
            }
        }
    }
}

/// The spaces to go back to.
fn previous(
    spaces: &HashMap<Uuid, Space>,
    active: Vec<Active>,
    is_named: bool,
) -> Result<Vec<(Kind, Space)>> {
    let mut previous = Vec::new();
    for active in active {
        match active.previous_space_id.and_then(|id| spaces.get(&id)) {
            Some(space) => previous.push((active.kind, space.clone())),
            None if is_named => {
                let problem = format!("names {}, which has no space to go back to", active.kind);
                return Err(Error::invalid("kinds", problem));
            }
            None => {}
        }
    }
    if previous.is_empty() {
        return Err(Error::invalid("kinds", "have no space to go back to: nothing was promoted"));
    }
    Ok(previous)
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
fn checked_kinds(kinds: &[Kind]) -> Result<Vec<Kind>> {
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
