//! A worker that sets itself aside for a while, because its host could not do what was asked of it: others may.
//!
//! Promises: each rest is twice as long as the one before, up to a limit, until a task succeeds. A rest ends nothing that is
//! at work.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// The first rest: what passes by itself has often passed by then.
const FIRST: Duration = Duration::from_secs(5);
/// The longest.
const LONGEST: Duration = Duration::from_secs(300);

/// Whether a worker rests.
#[derive(Debug)]
pub(crate) struct Rest(watch::Sender<Option<Resting>>);

#[derive(Clone, Debug)]
struct Resting {
    /// How long this rest is, and so how long the next will be.
    length: Duration,
    until: Instant,
    why: String,
}

impl Default for Rest {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Rest {
    /// Begins a rest. While one lasts, another changes nothing.
    pub(crate) fn begin(&self, why: String) {
        let now = Instant::now();
        self.0.send_if_modified(|resting| {
            if resting.as_ref().is_some_and(|resting| now < resting.until) {
                return false;
            }
            let length = resting.as_ref().map_or(FIRST, |last| last.length.saturating_mul(2).min(LONGEST));
            tracing::warn!(seconds = length.as_secs(), why, "taking no tasks for a while");
            *resting = Some(Resting { length, until: now + length, why });
            true
        });
    }

    /// A task has succeeded: what was wrong with the host is past.
    pub(crate) fn worked(&self) {
        let now = Instant::now();
        self.0.send_if_modified(|resting| resting.take_if(|resting| resting.until <= now).is_some());
    }

    /// Why the worker rests; `None` where it does not.
    pub(crate) fn why(&self) -> Option<String> {
        let resting = self.0.borrow();
        resting.as_ref().filter(|resting| Instant::now() < resting.until).map(|resting| resting.why.clone())
    }

    /// Waits until a rest begins.
    pub(crate) async fn begun(&self) {
        let lasts = |resting: &Option<Resting>| {
            resting.as_ref().is_some_and(|resting| Instant::now() < resting.until)
        };
        // The sender is here, so this cannot fail.
        drop(self.0.subscribe().wait_for(lasts).await);
    }

    /// Waits until no rest lasts.
    pub(crate) async fn over(&self) {
        loop {
            let until = self.0.borrow().as_ref().map(|resting| resting.until);
            match until {
                Some(until) if Instant::now() < until => tokio::time::sleep_until(until).await,
                _ => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn length(rest: &Rest) -> Duration {
        let begun = Instant::now();
        rest.over().await;
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn rests_grow_until_a_task_succeeds() {
        let rest = Rest::default();
        assert_eq!((rest.why(), length(&rest).await), (None, Duration::ZERO));
        for seconds in [5, 10, 20, 40, 80, 160, 300, 300] {
            rest.begin("full".to_owned());
            rest.begun().await;
            rest.begin("fuller".to_owned());
            assert_eq!(rest.why().as_deref(), Some("full"));
            assert_eq!(length(&rest).await, Duration::from_secs(seconds));
            assert_eq!(rest.why(), None);
        }
        rest.worked();
        rest.begin("full again".to_owned());
        assert_eq!(length(&rest).await, FIRST);
    }

    #[tokio::test(start_paused = true)]
    async fn what_succeeds_during_a_rest_does_not_end_it() {
        let rest = Rest::default();
        rest.begin("full".to_owned());
        rest.worked();
        assert_eq!(length(&rest).await, FIRST);
        rest.begin("full".to_owned());
        assert_eq!(length(&rest).await, 2 * FIRST);
    }
}
