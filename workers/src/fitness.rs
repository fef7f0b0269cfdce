//! Whether a worker's host can do work at the moment.
//!
//! Promises: a host that is short of disk takes no task until it no longer is. One on which an attempt failed for a reason
//! of the host's own takes none for a while, longer each time until an attempt succeeds there: a host that fails fast
//! must not be the one that takes all. What is at work goes on.

use std::sync::Arc;
use std::time::Duration;

use reelfarm_model::{AttemptOutcome, Code, FailureClass};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::runtime::Running;

/// How often the disk is looked at.
const LOOK: Duration = Duration::from_secs(5);
/// The first rest; it doubles with each further failure.
const FIRST_REST: Duration = Duration::from_secs(3);
const LONGEST_REST: Duration = Duration::from_secs(300);

#[derive(Clone, Debug, Default)]
struct State {
    free_disk: Option<u64>,
    /// Why the disk is too full.
    short_of_disk: Option<String>,
    /// Why the host rests, and until when.
    rest: Option<(String, Instant)>,
    /// Failures of the host's since an attempt last succeeded.
    failures: u32,
}

impl State {
    fn aside(&self) -> Option<&str> {
        let rest = self.rest.as_ref().map(|(reason, _)| reason);
        self.short_of_disk.as_ref().or(rest).map(String::as_str)
    }

    fn look(&mut self, free: Option<u64>, least: u64) {
        self.free_disk = free;
        self.short_of_disk = free.filter(|free| *free < least).map(|free| {
            format!("{} are free where it works, less than the {} that it keeps free", mib(free), mib(least))
        });
    }

    fn note(&mut self, outcome: &AttemptOutcome, now: Instant) {
        match outcome {
            AttemptOutcome::Completed { .. } => self.failures = 0,
            AttemptOutcome::Failed { failure }
                if failure.class == FailureClass::Environment && !is_alike_everywhere(failure.code) =>
            {
                let factor = 1_u32.checked_shl(self.failures).unwrap_or(u32::MAX);
                self.failures += 1;
                let rest = FIRST_REST.saturating_mul(factor).min(LONGEST_REST);
                self.rest = Some((format!("{}: {}", failure.code, failure.message), now + rest));
            }
            AttemptOutcome::Failed { .. } | AttemptOutcome::Released => {}
        }
    }
}

/// Whether every host meets this: none does better, and all of them would rest.
const fn is_alike_everywhere(code: Code) -> bool {
    matches!(code, Code::KeyServerLoginRefused | Code::OriginFull)
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

/// The fitness of a worker's host.
pub(crate) struct Fitness(watch::Sender<State>);

impl Fitness {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(State::default()))
    }

    /// Waits until the host can take a task.
    pub(crate) async fn fit(&self) {
        // The sender is ours: it does not go away.
        drop(self.0.subscribe().wait_for(|state| state.aside().is_none()).await);
    }

    /// Waits until it cannot.
    pub(crate) async fn unfit(&self) {
        drop(self.0.subscribe().wait_for(|state| state.aside().is_some()).await);
    }

    /// Why it takes no task at the moment.
    pub(crate) fn aside(&self) -> Option<String> {
        self.0.borrow().aside().map(str::to_owned)
    }

    /// Bytes free where it works, as last seen.
    pub(crate) fn free_disk(&self) -> Option<u64> {
        self.0.borrow().free_disk
    }

    /// Learns from how an attempt ended.
    pub(crate) fn note(&self, outcome: &AttemptOutcome) {
        self.0.send_modify(|state| state.note(outcome, Instant::now()));
    }

    /// Looks at the disk now.
    pub(crate) async fn look(&self, running: &Running) {
        let artifacts = running.worker.artifacts.clone();
        let free = match tokio::task::spawn_blocking(move || artifacts.free_disk()).await {
            Ok(Ok(free)) => Some(free),
            Ok(Err(error)) => {
                tracing::warn!(%error, "free disk not known");
                None
            }
            Err(error) => {
                tracing::error!(%error, "free disk not known");
                None
            }
        };
        self.0.send_modify(|state| state.look(free, running.worker.least_free_disk));
    }
}

/// Looks at the disk from time to time, ends rests, and has the worker report what changes, until `ended`.
pub(crate) async fn tend(running: Arc<Running>, ended: CancellationToken) {
    let fitness = &running.fitness;
    let mut changes = fitness.0.subscribe();
    let mut looks = tokio::time::interval(LOOK);
    let mut told: Option<String> = None;
    loop {
        let state = changes.borrow_and_update().clone();
        let aside = state.aside().map(str::to_owned);
        if aside != told {
            match &aside {
                Some(reason) => tracing::warn!(reason, "taking no tasks for a while"),
                None => tracing::info!("taking tasks again"),
            }
            running.worker.metrics.set_worker_aside(aside.is_some());
            told = aside;
            running.asked.notify_one();
        }
        if let Some(free) = state.free_disk {
            running.worker.metrics.set_worker_free_disk(free);
        }
        tokio::select! {
            () = ended.cancelled() => return,
            _ = looks.tick() => fitness.look(&running).await,
            // Never an error: the sender is among what runs.
            changed = changes.changed() => drop(changed),
            () = end_of(state.rest.as_ref()) => fitness.0.send_modify(|state| state.rest = None),
        }
    }
}

async fn end_of(rest: Option<&(String, Instant)>) {
    match rest {
        Some((_, until)) => tokio::time::sleep_until(*until).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use reelfarm_model::Failure;

    use super::*;

    fn failed(code: Code) -> AttemptOutcome {
        AttemptOutcome::Failed { failure: Failure::new(code, "why") }
    }

    const DONE: AttemptOutcome = AttemptOutcome::Completed { artifacts: Vec::new(), result: None };

    #[test]
    fn a_host_that_fails_rests_longer_each_time_until_it_succeeds() {
        let (mut state, now) = (State::default(), Instant::now());
        let mut rests = Vec::new();
        for _ in 0..9 {
            state.note(&failed(Code::DiskFull), now);
            rests.push(state.rest.as_ref().map(|(_, until)| until.duration_since(now).as_secs()));
        }
        assert_eq!(rests, [3, 6, 12, 24, 48, 96, 192, 300, 300].map(Some));
        assert_eq!(state.aside(), Some("RF-ART-002: why"));
        state.note(&DONE, now);
        state.note(&failed(Code::PackagerMissing), now);
        assert_eq!(state.rest, Some(("RF-PKG-001: why".to_owned(), now + FIRST_REST)));
    }

    #[test]
    fn what_is_no_fault_of_the_host_sets_it_not_aside() {
        let (mut state, now) = (State::default(), Instant::now());
        for outcome in [
            DONE,
            AttemptOutcome::Released,
            failed(Code::QcUnreadable),
            failed(Code::EncodeCrashed),
            failed(Code::KeyServerLoginRefused),
        ] {
            state.note(&outcome, now);
            assert_eq!(state.aside(), None, "{outcome:?}");
        }
    }

    #[test]
    fn a_host_short_of_disk_is_aside_until_it_no_longer_is() {
        let mut state = State::default();
        for (free, least, aside) in
            [(Some(99 << 20), 100 << 20, true), (Some(100 << 20), 100 << 20, false), (None, 1, false)]
        {
            state.look(free, least);
            assert_eq!(state.aside().is_some(), aside, "{free:?}");
        }
        state.look(Some(1 << 20), 2 << 20);
        assert_eq!(
            state.aside(),
            Some("1 MiB are free where it works, less than the 2 MiB that it keeps free")
        );
    }
}
