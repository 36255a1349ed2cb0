//! How often the provider is asked again, and how long is waited before.

use std::time::Duration;

use tokio::time::Instant;

use super::failure::{Failure, Kind};

/// How patient requests are, and when the provider is left alone.
#[derive(Debug, Clone)]
pub struct Pace {
    pub documents: Patience,
    pub queries: Patience,
    /// Failures in a row after which the provider is left alone.
    pub failures: u32,
    /// How long it is left alone, and between tries whether it answers again.
    pub rest: Duration,
}

/// How patient one kind of request is.
#[derive(Debug, Clone)]
pub struct Patience {
    /// Attempts in all, the first one included.
    pub attempts: u32,
    /// The longest wait after the first failure; it doubles with each further one.
    pub first_wait: Duration,
    /// The longest wait after any failure.
    pub longest_wait: Duration,
    /// The longest wait that the provider may ask for; beyond it the caller is told instead.
    pub longest_asked: Duration,
    /// Time for everything together; without one each attempt has the time of its request.
    pub budget: Option<Duration>,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            documents: Patience {
                attempts: 5,
                first_wait: Duration::from_millis(500),
                longest_wait: Duration::from_secs(8),
                longest_asked: Duration::from_secs(20),
                budget: None,
            },
            // Somebody waits for the answer, and full text can give one.
            queries: Patience {
                attempts: 2,
                first_wait: Duration::from_millis(100),
                longest_wait: Duration::from_millis(200),
                longest_asked: Duration::from_secs(2),
                budget: Some(Duration::from_millis(900)),
            },
            failures: 5,
            rest: Duration::from_secs(30),
        }
    }
}

impl Patience {
    /// How long to wait after so many attempts; `None` to give up.
    ///
    /// `random` is at least 0 and below 1. The wait is drawn from the whole range up to the longest one,
    /// so that callers who failed together do not come back together.
    pub(super) fn next_wait(
        &self,
        attempts: u32,
        failure: &Failure,
        random: f64,
    ) -> Option<Duration> {
        match failure.kind {
            Kind::Away if attempts < self.attempts => {}
            Kind::Away | Kind::Settings | Kind::Text => return None,
        }
        let doublings = attempts.saturating_sub(1).min(16);
        let longest = self.first_wait.saturating_mul(1 << doublings).min(self.longest_wait);
        Some(longest.mul_f64(random).max(failure.retry_after.unwrap_or_default()))
    }

    /// Whether there is time for a wait.
    pub(super) fn allows(&self, wait: Duration, deadline: Option<Instant>) -> bool {
        let is_in_time = deadline.is_none_or(|deadline| Instant::now() + wait < deadline);
        wait <= self.longest_asked.max(self.longest_wait) && is_in_time
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn away(retry_after: Option<Duration>) -> Failure {
        Failure { kind: Kind::Away, message: String::new(), retry_after }
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let patience = Pace::default().documents;
        for kind in [Kind::Settings, Kind::Text] {
            let failure = Failure { kind, ..away(None) };
            assert_eq!(patience.next_wait(1, &failure, 0.5), None);
        }
        let waits: Vec<bool> = (1..7)
            .map(|attempts| patience.next_wait(attempts, &away(None), 0.5).is_some())
            .collect();
        assert_eq!(waits, [true, true, true, true, false, false]);
    }

    #[test]
    fn waits_double_up_to_the_longest_one() {
        let patience = Patience { attempts: 100, ..Pace::default().documents };
        let longest = |attempts| patience.next_wait(attempts, &away(None), 1.0).unwrap();
        let waits: Vec<u128> = (1..8).map(|attempts| longest(attempts).as_millis()).collect();
        assert_eq!(waits, [500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000]);
        assert_eq!(longest(99).as_millis(), 8_000);
    }

    #[test]
    fn a_long_wait_that_was_asked_for_is_left_to_the_caller() {
        let Pace { documents, queries, .. } = Pace::default();
        assert!(documents.allows(Duration::from_secs(20), None));
        assert!(!documents.allows(Duration::from_secs(21), None));
        assert!(queries.allows(Duration::from_secs(2), None));
        assert!(!queries.allows(Duration::from_secs(3), None));
        let deadline = Some(Instant::now() + Duration::from_millis(900));
        assert!(queries.allows(Duration::from_millis(100), deadline));
        assert!(!queries.allows(Duration::from_secs(1), deadline));
    }

    proptest! {
        #[test]
        fn no_wait_is_shorter_than_the_provider_asked_for(
            attempts in 1_u32..5,
            asked in 0_u64..100_000,
            random in 0.0..1.0,
        ) {
            let asked = Duration::from_millis(asked);
            let wait = Pace::default().documents.next_wait(attempts, &away(Some(asked)), random);
            prop_assert!(wait.unwrap() >= asked);
        }

        #[test]
        fn waits_are_drawn_from_the_whole_range(attempts in 1_u32..5, random in 0.0..1.0) {
            let patience = Pace::default().documents;
            let longest = patience.next_wait(attempts, &away(None), 1.0).unwrap();
            let wait = patience.next_wait(attempts, &away(None), random).unwrap();
            let share = wait.as_secs_f64() / longest.as_secs_f64();
            prop_assert!((share - random).abs() < 1e-6);
        }
    }
}
