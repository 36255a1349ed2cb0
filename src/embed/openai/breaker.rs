//! Leaves a provider alone that fails again and again, or asked for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::failure::{Failure, Kind};
use super::retry::Pace;

/// What is known of a provider, shared by everything that asks it.
#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// In a row.
    failures: u32,
    /// When it may be tried again whether the provider answers.
    probe_at: Option<Instant>,
    /// Until when the provider asked to be left alone.
    asked_until: Option<Instant>,
    /// Why the last request failed.
    last: String,
}

/// Whether a request may be sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Go,
    /// The provider asked for so much time.
    Wait(Duration),
    /// It failed too often.
    Open {
        wait: Duration,
        last: String,
    },
}

/// The providers of this process. Models of one provider share its state, wherever they were made.
static BREAKERS: Mutex<Vec<(String, Weak<Breaker>)>> = Mutex::new(Vec::new());

impl Breaker {
    /// The one of a base URL.
    pub(super) fn of(base_url: &str) -> Arc<Self> {
        let mut breakers = lock(&BREAKERS);
        breakers.retain(|(_, breaker)| breaker.strong_count() > 0);
        let mut known = breakers.iter().filter(|(url, _)| url == base_url);
        if let Some(breaker) = known.find_map(|(_, breaker)| breaker.upgrade()) {
            return breaker;
        }
        let breaker = Arc::new(Self::default());
        breakers.push((base_url.to_owned(), Arc::downgrade(&breaker)));
        breaker
    }

    /// Asks whether a request may be sent now. While the provider is left alone, one request goes through
    /// each time the rest is over: whoever gets [`Admission::Go`] must send one.
    pub(super) fn admit(&self, now: Instant, pace: &Pace) -> Admission {
        let mut state = lock(&self.0);
        let asked = remaining(state.asked_until, now);
        if state.failures < pace.failures {
            return asked.map_or(Admission::Go, Admission::Wait);
        }
        match remaining(state.probe_at, now).max(asked) {
            Some(wait) => Admission::Open { wait, last: state.last.clone() },
            None => {
                state.probe_at = Some(now + pace.rest);
                Admission::Go
            }
        }
    }

    /// The provider answered.
    pub(super) fn success(&self) {
        let mut state = lock(&self.0);
        if state.probe_at.take().is_some() {
            tracing::info!("The embedding provider answers again");
        }
        state.failures = 0;
    }

    /// A request failed.
    pub(super) fn record(&self, failure: &Failure, now: Instant, pace: &Pace) {
        match failure.kind {
            Kind::Away | Kind::Settings => self.failed(failure, now, pace),
            // It answered; only this text will not do.
            Kind::Text => self.success(),
        }
    }

    fn failed(&self, failure: &Failure, now: Instant, pace: &Pace) {
        let mut state = lock(&self.0);
        state.failures = state.failures.saturating_add(1);
        state.last.clone_from(&failure.message);
        if let Some(asked) = failure.retry_after {
            state.asked_until = state.asked_until.max(Some(now + asked));
        }
        if state.failures >= pace.failures && state.probe_at.is_none() {
            state.probe_at = Some(now + pace.rest);
            let seconds = pace.rest.as_secs();
            tracing::warn!(
                failures = state.failures,
                "Leaving the embedding provider alone for {seconds} s: {}",
                state.last
            );
        }
    }
}

fn remaining(until: Option<Instant>, now: Instant) -> Option<Duration> {
    until.map(|until| until.saturating_duration_since(now)).filter(|left| !left.is_zero())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing under the lock panics between two writes that belong together.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away(retry_after: Option<u64>) -> Failure {
        let retry_after = retry_after.map(Duration::from_secs);
        Failure { kind: Kind::Away, message: "is away".to_owned(), retry_after }
    }

    /// A breaker after so many failures, and when the last one was.
    fn failing(times: u32) -> (Breaker, Instant, Pace) {
        let (breaker, now, pace) = (Breaker::default(), Instant::now(), Pace::default());
        for _ in 0..times {
            assert_eq!(breaker.admit(now, &pace), Admission::Go);
            breaker.record(&away(None), now, &pace);
        }
        (breaker, now, pace)
    }

    #[test]
    fn it_opens_after_five_failures_in_a_row_and_not_before() {
        let (breaker, now, pace) = failing(4);
        breaker.success();
        for _ in 0..5 {
            assert_eq!(breaker.admit(now, &pace), Admission::Go);
            breaker.record(&away(None), now, &pace);
        }
        let wait = Duration::from_secs(30);
        let last = "is away".to_owned();
        assert_eq!(breaker.admit(now, &pace), Admission::Open { wait, last });
    }

    #[test]
    fn one_probe_goes_through_each_half_minute() {
        let (breaker, opened, pace) = failing(5);
        let mut probes = Vec::new();
        for tenth in 0..3_000 {
            let now = opened + Duration::from_millis(100 * tenth);
            if breaker.admit(now, &pace) == Admission::Go {
                probes.push((now - opened).as_secs());
                breaker.record(&away(None), now, &pace);
            }
        }
        assert_eq!(probes, [30, 60, 90, 120, 150, 180, 210, 240, 270]);
    }

    #[test]
    fn a_probe_that_nobody_waits_for_any_more_does_not_keep_it_shut() {
        let (breaker, opened, pace) = failing(5);
        let probe = opened + Duration::from_secs(31);
        assert_eq!(breaker.admit(probe, &pace), Admission::Go);
        assert_ne!(breaker.admit(probe, &pace), Admission::Go);
        assert_eq!(breaker.admit(probe + Duration::from_secs(30), &pace), Admission::Go);
    }

    #[test]
    fn an_answer_closes_it_and_so_does_a_refused_text() {
        for answer in [None, Some(Kind::Text)] {
            let (breaker, opened, pace) = failing(5);
            let now = opened + Duration::from_secs(30);
            assert_eq!(breaker.admit(now, &pace), Admission::Go);
            match answer {
                None => breaker.success(),
                Some(kind) => breaker.record(&Failure { kind, ..away(None) }, now, &pace),
            }
            assert_eq!(breaker.admit(now, &pace), Admission::Go);
            assert_eq!(breaker.admit(now, &pace), Admission::Go);
        }
    }

    #[test]
    fn what_the_provider_asked_for_holds_for_everybody() {
        let (breaker, now, pace) = failing(0);
        breaker.record(&away(Some(7)), now, &pace);
        breaker.record(&away(Some(3)), now, &pace);
        assert_eq!(breaker.admit(now, &pace), Admission::Wait(Duration::from_secs(7)));
        // An answer to a request that was under way changes nothing of that.
        breaker.success();
        let later = now + Duration::from_secs(5);
        assert_eq!(breaker.admit(later, &pace), Admission::Wait(Duration::from_secs(2)));
        assert_eq!(breaker.admit(now + Duration::from_secs(7), &pace), Admission::Go);
    }

    #[test]
    fn no_probe_comes_before_the_time_that_was_asked_for() {
        let (breaker, now, pace) = failing(4);
        breaker.record(&away(Some(100)), now, &pace);
        let admitted = |seconds| breaker.admit(now + Duration::from_secs(seconds), &pace);
        assert!(matches!(admitted(40), Admission::Open { wait, .. } if wait.as_secs() == 60));
        assert_eq!(admitted(100), Admission::Go);
    }

    #[test]
    fn models_of_one_provider_share_it() {
        let first = Breaker::of("http://one.test/v1");
        assert!(Arc::ptr_eq(&first, &Breaker::of("http://one.test/v1")));
        assert!(!Arc::ptr_eq(&first, &Breaker::of("http://two.test/v1")));
    }
}
