//! Which space answers: the switch, and the way back.

use std::collections::HashMap;

use uuid::Uuid;

use super::lifecycle::checked_kinds;
use crate::model::space::FillState;
use crate::model::{Kind, Scope, Space, Viewer};
use crate::service::commit;
use crate::service::{Error, Result, Services};
use crate::store::space_switch::{self, Active};
use crate::store::{Tx, space, space_fill};

/// What becomes of a promotion to a space that lacks vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfIncomplete {
    Refuse,
    PromoteAnyway,
}

impl Services {
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
