//! One scheduler of several leads at a time: the others stand by, hot, and one of them takes over when its lease ends.
//!
//! ```text
//!   standing by ──won──▶ leading ──lease not renewed in time, term over, scheduler broken──▶ standing by
//!        ▲  │lost, or left    │   cut off from the broker while another is not
//!        └──┘ to another      └──asked to stop──▶ resigned
//! ```
//!
//! A leader that does not reach the broker makes way for another that does. Where none does, it goes on: titles are taken,
//! and wait.
//!
//! Promises: a leader stops by its own clock, counted from before it asked for each renewal, so it never believes in a
//! term for longer than the database does; what it may still write when it was paused, the store refuses (see
//! [`Leadership`]). Trouble with the store or the broker ends a term, not the process: it stands by and asks again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reelfarm_artifacts::ArtifactStore;
use reelfarm_queue::{Broker, LinkState};
use reelfarm_store::{Candidate, Election, Leadership, StoreError, Term};
use reelfarm_telemetry::metrics::Metrics;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::handle::Handle;
use crate::housekeeping::Housekeeping;
use crate::service::{Options, Scheduler, SchedulerError};

/// Who leads, as this process knows it.
#[derive(Clone)]
pub enum Leader {
    /// This process.
    Here(Handle),
    /// Another, whose API is at this address.
    At(String),
    /// Nobody, or it is not known.
    Nobody,
}

/// A scheduler that leads when it is its turn.
pub struct Standby {
    /// The leadership of the farm.
    pub leadership: Arc<dyn Leadership>,
    /// This process.
    pub candidate: Candidate,
    /// How long a lease of the leadership runs. A leader that died is followed after that long.
    pub lease: Duration,
    /// The broker.
    pub broker: Arc<dyn Broker>,
    /// The workers' artifacts.
    pub artifacts: ArtifactStore,
    /// Metrics.
    pub metrics: Metrics,
    /// How it schedules.
    pub options: Options,
    /// What the leader keeps in order besides.
    pub housekeeping: Housekeeping,
}

/// Why a term ended.
enum End {
    /// This process is to stop.
    Stopped,
    /// The lease was not renewed in time.
    Expired,
    /// Another may lead.
    Deposed(StoreError),
    /// It has not reached the broker for a while, and another does.
    CutOff(String),
    /// The scheduler could not go on.
    Broken(String),
}

impl Standby {
    /// Takes part until `stop` is cancelled, and says in `leader` who leads.
    pub async fn run(self, leader: watch::Sender<Leader>, stop: CancellationToken) {
        self.metrics.stands_by();
        while !stop.is_cancelled() {
            let asked = Instant::now();
            self.see_broker();
            let fit = !matches!(self.broker.link(), LinkState::Down { .. });
            match self.leadership.acquire(&self.candidate, fit, self.lease).await {
                Ok(Election::Won(term)) => {
                    tracing::info!(%term, "this scheduler leads");
                    let end = self.lead(term, asked, &leader, &stop).await;
                    self.metrics.stands_by();
                    leader.send_replace(Leader::Nobody);
                    self.told(term, end).await;
                }
                Ok(Election::Lost(other)) => {
                    let address = other.candidate.address;
                    leader.send_if_modified(|known| {
                        let is_new = !matches!(known, Leader::At(known) if *known == address);
                        *known = Leader::At(address);
                        is_new
                    });
                }
                Ok(Election::Left) => drop(leader.send_replace(Leader::Nobody)),
                Err(error) => {
                    leader.send_replace(Leader::Nobody);
                    tracing::warn!(%error, "who leads is not known; asking again");
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(self.lease / 4) => {}
            }
        }
    }

    async fn lead(
        &self,
        term: Term,
        asked: Instant,
        leader: &watch::Sender<Leader>,
        stop: &CancellationToken,
    ) -> End {
        let (scheduler, handle) = Scheduler::new(
            self.leadership.under(term),
            self.broker.clone(),
            self.artifacts.clone(),
            self.metrics.clone(),
            self.options.clone(),
        );
        let over = stop.child_token();
        let mut running = tokio::spawn(scheduler.run(CancellationToken::new(), over.clone()));
        leader.send_replace(Leader::Here(handle));
        let end = tokio::select! {
            ended = &mut running => return end_of(ended, stop),
            end = self.keep(term, asked) => end,
            never = self.housekeeping.run() => match never {},
        };
        // At once, wherever it is: whatever it writes is refused, and what it sends is fenced.
        running.abort();
        // It is over, whether it ended by itself or not.
        drop(running.await);
        end
    }

    /// Renews the lease until that fails.
    async fn keep(&self, term: Term, asked: Instant) -> End {
        let (began, mut valid_until) = (asked, asked + self.lease);
        loop {
            tokio::time::sleep(self.lease / 4).await;
            self.see_broker();
            let asked = Instant::now();
            let renewal = self.leadership.renew(term, self.lease);
            match tokio::time::timeout_at(valid_until.into(), renewal).await {
                Err(_) => return End::Expired,
                Ok(Ok(has_rival)) => {
                    valid_until = asked + self.lease;
                    if let Some(reason) = self.cut_off(began).filter(|_| has_rival) {
                        return End::CutOff(reason);
                    }
                }
                Ok(Err(error @ StoreError::NoLongerLeader { .. })) => return End::Deposed(error),
                Ok(Err(error)) => {
                    tracing::warn!(%term, %error, "lease of the leadership not renewed; trying again");
                }
            }
        }
    }

    fn see_broker(&self) {
        let link = self.broker.link();
        self.metrics.set_broker_connected(link.is_up());
        self.metrics.health().set("broker", link.trouble().map(str::to_owned));
    }

    /// Why this process has not reached the broker for as long as a lease of its term, where it has not.
    fn cut_off(&self, began: Instant) -> Option<String> {
        match self.broker.link() {
            LinkState::Down { since, reason } if since.max(began).elapsed() >= self.lease => Some(reason),
            _ => None,
        }
    }

    async fn told(&self, term: Term, end: End) {
        match end {
            End::Stopped => {
                if let Err(error) = self.leadership.resign(term).await {
                    tracing::warn!(%term, %error, "not resigned: the others wait until the lease ends");
                }
            }
            End::Expired => {
                tracing::error!(%term, "the lease of the leadership ended without a renewal; standing by");
            }
            End::Deposed(error) => tracing::error!(%term, %error, "the term is over; standing by"),
            End::CutOff(reason) => {
                tracing::error!(%term, reason, "the broker is out of reach, and not for another; standing by");
                self.make_way(term).await;
            }
            End::Broken(reason) => {
                tracing::error!(%term, reason, "the scheduler cannot go on; standing by");
                self.make_way(term).await;
            }
        }
    }

    /// Another may have more luck with what this one cannot reach.
    async fn make_way(&self, term: Term) {
        if let Err(error) = self.leadership.resign(term).await {
            tracing::debug!(%term, %error, "not resigned");
        }
    }
}

fn end_of(
    ended: Result<Result<(), SchedulerError>, tokio::task::JoinError>,
    stop: &CancellationToken,
) -> End {
    match ended {
        Ok(Ok(())) if stop.is_cancelled() => End::Stopped,
        Ok(Ok(())) => End::Broken("it ended by itself".to_owned()),
        Ok(Err(SchedulerError::Store(error @ StoreError::NoLongerLeader { .. }))) => End::Deposed(error),
        Ok(Err(error)) => End::Broken(error.to_string()),
        Err(error) => End::Broken(format!("it died: {error}")),
    }
}
