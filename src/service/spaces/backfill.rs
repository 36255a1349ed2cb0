//! Filling a space with what was written before it was made.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::model::space::{Coverage, FillState, HeldKind, LeafIndex};
use crate::model::{Kind, Scope, Space, Viewer};
use crate::service::commit;
use crate::service::{Error, Result, Services};
use crate::store::space_fill::{self, Filling, Pace, Slice};
use crate::store::{embedding, index, space};

/// Tasks of one space and kind that wait at most: enough to keep a worker busy, and few enough that
/// the queue stays small.
const QUEUE: i64 = 6_000;
/// More are queued once fewer than this wait.
const LOW: i64 = 3_000;
/// Slices of one round, so that rows which are there already do not hold up the caller.
const SLICES: usize = 20;
/// Under a rate as much is queued as is due within this.
const AHEAD_SECONDS: i64 = 10;
/// A row that was written within this and waits in the queue is on its way.
pub(super) const RECENT: Duration = Duration::from_mins(1);

/// A kind that a space holds, with how far it is.
#[derive(Debug, Clone)]
pub struct HeldProgress {
    pub held: HeldKind,
    pub is_active: bool,
    pub coverage: Coverage,
    pub index: LeafIndex,
}

impl Services {
    /// What a space holds and how far each kind is.
    pub async fn held_kinds(&self, viewer: Viewer, space: &Space) -> Result<Vec<HeldProgress>> {
        let scope = self.administering(viewer)?;
        let catalogue = self.catalogue().await?;
        let mut held: Vec<HeldKind> = catalogue.held_by(space).collect();
        held.sort_by_key(|held| held.kind);
        let recently = self.recently();
        let mut progress = Vec::with_capacity(held.len());
        for held in held {
            let kind = held.kind;
            progress.push(HeldProgress {
                held,
                is_active: catalogue.active_for(kind).is_some_and(|active| active.id == space.id),
                coverage: space_fill::coverage_now(&self.db, scope, space, kind, recently).await?,
                index: index::state(&self.db, scope, space, kind).await?,
            });
        }
        Ok(progress)
    }

    /// Begins to fill a space with kinds it has room for, or goes on where that was canceled. `None`
    /// stands for every kind it has room for.
    pub async fn backfill_space(
        &self,
        viewer: Viewer,
        name: &str,
        kinds: Option<&[Kind]>,
        texts_per_second: Option<i32>,
    ) -> Result<Space> {
        let scope = self.administering(viewer)?;
        let (space, kinds) = self.held_of(name, kinds).await?;
        checked_rate(texts_per_second)?;
        let now = self.clock.now();
        self.patiently(|patience| {
            let (space, kinds) = (&space, &kinds);
            async move {
                let mut tx = space::begin_change(&self.db, scope, patience).await?;
                space::hold_writers(&mut tx, scope).await?;
                space_fill::start(&mut tx, scope, space.id, kinds, texts_per_second, now).await?;
                commit(tx).await
            }
        })
        .await?;
        self.spaces_changed();
        Ok(space)
    }

    /// Stops filling a space, and lets nothing that is written reach it. What was embedded stays.
    pub async fn cancel_backfill(
        &self,
        viewer: Viewer,
        name: &str,
        kinds: Option<&[Kind]>,
    ) -> Result<(Space, u64)> {
        let scope = self.administering(viewer)?;
        let is_default = kinds.is_none();
        let (space, mut kinds) = self.held_of(name, kinds).await?;
        let catalogue = self.catalogue().await?;
        let is_active =
            |kind: &Kind| catalogue.active_for(*kind).is_some_and(|active| active.id == space.id);
        if is_default {
            kinds.retain(|kind| !is_active(kind));
        }
        if let Some(kind) = kinds.iter().find(|kind| is_active(kind)) {
            let problem =
                format!("holds {kind}, for which `{name}` answers; promote another space first");
            return Err(Error::invalid("kinds", problem));
        }
        let removed = space_fill::cancel(&self.db, scope, space.id, &kinds).await?;
        self.spaces_changed();
        Ok((space, removed))
    }

    /// Queues the next rows of every backfill, as far as its queue runs low and its rate allows, and
    /// finishes those that are through. Says whether it queued anything.
    pub async fn feed_backfills(&self) -> Result<bool> {
        let filling = self.catalogue().await?.in_state(FillState::Filling);
        let mut has_queued = false;
        for (space, held) in filling {
            match self.feed(&space, held.kind).await {
                Ok(queued) => has_queued |= queued,
                // Dropped meanwhile.
                Err(Error::SpaceGone(_)) => self.forget_spaces(),
                Err(error) => return Err(error),
            }
        }
        Ok(has_queued)
    }

    async fn feed(&self, space: &Space, kind: Kind) -> Result<bool> {
        let scope = Scope::system();
        let mut tx = self.db.begin(scope).await?;
        let locked = space_fill::lock(&mut tx, scope, space.id, kind, QUEUE).await?;
        let Some(mut filling) = locked else { return Ok(false) };
        let (mut queued, mut is_through) = (0, false);
        for _ in 0..SLICES {
            let now = self.clock.now();
            let pace = pace(&filling, now);
            if pace.room == 0 {
                break;
            }
            let slice = space_fill::queue_slice(&mut tx, scope, space, &filling, pace, now).await?;
            queued += slice.queued;
            filling.take(slice, pace);
            is_through = slice.is_last;
            if is_through {
                break;
            }
        }
        let is_done = is_through && filling.pending == 0;
        if is_done {
            space_fill::finish(&mut tx, scope, space.id, kind, self.clock.now()).await?;
        }
        commit(tx).await?;
        if is_done {
            tracing::info!(kind = %kind, space.name = %space.name, "Filled {} with {kind}", space.name);
            self.forget_spaces();
            embedding::analyze(&self.db, scope, space, kind).await?;
        }
        Ok(queued > 0)
    }

    /// Rows that were written after this and wait in the queue are on their way.
    pub(super) fn recently(&self) -> DateTime<Utc> {
        self.clock.now() - RECENT
    }

    /// Says that spaces changed: to whoever asks, and to the worker.
    pub(super) fn spaces_changed(&self) {
        self.forget_spaces();
        self.wake_worker.notify_one();
    }
}

impl Filling {
    /// Counts what a slice queued.
    fn take(&mut self, slice: Slice, pace: Pace) {
        self.pending += slice.queued;
        if slice.filled_to.is_some() {
            self.filled_to = slice.filled_to;
        }
        #[expect(clippy::cast_precision_loss, reason = "a slice has some thousand rows")]
        let seconds = (slice.queued - 1).max(0) as f64 * pace.pause_seconds;
        if slice.queued > 0 {
            self.last_run_at = Some(pace.from + Duration::from_secs_f64(seconds));
        }
    }
}

/// How many rows may be queued now.
fn room(filling: &Filling) -> i64 {
    let (queue, low) = match filling.texts_per_second {
        None => (QUEUE, LOW),
        Some(rate) => {
            let queue = (i64::from(rate) * AHEAD_SECONDS).min(QUEUE);
            (queue, (queue + 1) / 2)
        }
    };
    if filling.pending > low { 0 } else { queue - filling.pending }
}

/// How many rows may be queued now, when the next one is due, and how fast the others follow.
fn pace(filling: &Filling, now: DateTime<Utc>) -> Pace {
    let room = room(filling);
    let Some(rate) = filling.texts_per_second else {
        return Pace { room, from: now, pause_seconds: 0.0 };
    };
    let pause_seconds = 1.0 / f64::from(rate.max(1));
    let next = filling.last_run_at.map(|last| last + Duration::from_secs_f64(pause_seconds));
    Pace { room, from: next.map_or(now, |next| next.max(now)), pause_seconds }
}

/// Checks a rate.
pub(super) fn checked_rate(texts_per_second: Option<i32>) -> Result<()> {
    match texts_per_second {
        Some(rate) if !(1..=1_000_000).contains(&rate) => Err(Error::invalid(
            "textsPerSecond",
            format!("must be between 1 and 1000000, but is {rate}"),
        )),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Clock;

    fn filling(texts_per_second: Option<i32>, pending: i64) -> Filling {
        let space_id = Clock.new_id();
        let (filled_to, last_run_at) = (None, None);
        Filling { space_id, kind: Kind::Song, filled_to, texts_per_second, pending, last_run_at }
    }

    #[test]
    fn a_queue_is_filled_up_once_it_runs_low() {
        assert_eq!(room(&filling(None, 0)), QUEUE);
        assert_eq!(room(&filling(None, LOW)), QUEUE - LOW);
        assert_eq!(room(&filling(None, LOW + 1)), 0);
        assert_eq!(room(&filling(Some(1), 0)), 10);
        assert_eq!(room(&filling(Some(1), 6)), 0);
    }

    #[test]
    fn rows_under_a_rate_are_due_one_after_the_other_and_never_in_the_past() {
        let now = Clock.now();
        let from = |filling: &Filling| pace(filling, now).from;
        assert_eq!(
            (from(&filling(None, 0)), pace(&filling(None, 0), now).pause_seconds),
            (now, 0.0)
        );
        let mut slow = filling(Some(4), 0);
        let first = pace(&slow, now);
        assert_eq!((first.from, first.pause_seconds), (now, 0.25));
        slow.take(Slice { queued: 5, filled_to: None, is_last: false }, first);
        assert_eq!(from(&slow), now + Duration::from_millis(1_250));
        let later = now + Duration::from_mins(1);
        assert_eq!(pace(&slow, later).from, later);
    }
}
