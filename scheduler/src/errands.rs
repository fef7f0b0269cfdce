//! What the scheduler has done beside its loop, because storage is asked, which may be slow or silent.
//!
//! Promises: what an errand comes to is acted on in the loop, after everything that happened before, and by what the store
//! says then. Errands that are under way when the scheduler stops are given up; none of them leaves anything that a scheduler
//! that follows does not see to.

use std::collections::BTreeSet;
use std::time::Duration;

use reelfarm_api::{ExpediteAnswer, PlanPreview};
use reelfarm_artifacts::ArtifactError;
use reelfarm_model::title::Submission;
use reelfarm_model::{ArtifactKey, Code, Failure, Fence, TaskKey, Title, TitleId};
use reelfarm_store::{Retried, StoreError};
use tokio::sync::oneshot;
use tokio::task::JoinError;

use crate::commands::Again;
use crate::expedite::{ExpediteWish, Weighed};
use crate::forecast::LookAhead;
use crate::name::Online;
use crate::preview::Previewed;
use crate::service::{Scheduler, SchedulerError};
use crate::survey::Found;

/// How long somebody waits for an errand. A claim to an idempotency key lasts longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// What an errand came to.
pub(crate) enum Returned {
    /// What lies in storage of a title.
    Surveyed { title: TitleId, number: u64, found: Box<Result<Found, Failure>> },
    /// What is online under the name that a submission wants.
    NameLookedUp {
        submission: Box<Submission>,
        online: Box<Result<Online, Failure>>,
        reply: oneshot::Sender<Result<Title, Failure>>,
    },
    /// The artifacts are gone that tasks of a title are to make again.
    Removed {
        title: TitleId,
        again: Again,
        tasks: BTreeSet<TaskKey>,
        outputs: BTreeSet<ArtifactKey>,
        removed: Result<(), Failure>,
        reply: oneshot::Sender<Result<Retried, Failure>>,
    },
    /// What is to be expected of titles.
    Foreseen { foreseen: Result<LookAhead, StoreError>, took: Duration },
    /// What would come of it if a title were expedited.
    Weighed {
        title: TitleId,
        wish: ExpediteWish,
        weighed: Box<Result<Weighed, StoreError>>,
        reply: oneshot::Sender<Result<ExpediteAnswer, Failure>>,
    },
    /// What lies in storage of a title whose plan somebody wants to see.
    Previewed {
        previewed: Box<Previewed>,
        found: Box<Result<Found, Failure>>,
        reply: oneshot::Sender<Result<PlanPreview, Failure>>,
    },
    /// What ended attempts had staged is gone, as far as that was possible.
    Swept,
}

impl Scheduler {
    /// Acts on what an errand came to.
    pub(crate) async fn on_returned(
        &mut self,
        returned: Result<Returned, JoinError>,
    ) -> Result<(), SchedulerError> {
        let returned = match returned.map_err(JoinError::try_into_panic) {
            Ok(returned) => returned,
            // Told as if it had happened in the loop.
            Err(Ok(panic)) => std::panic::resume_unwind(panic),
            Err(Err(_)) => return Ok(()),
        };
        match returned {
            Returned::Surveyed { title, number, found } => self.on_surveyed(&title, number, *found).await,
            Returned::NameLookedUp { submission, online, reply } => {
                self.on_submission(*submission, Some(*online), reply).await
            }
            Returned::Removed { title, again, tasks, outputs, removed, reply } => {
                // However far it came.
                self.tell_surveys(outputs, false);
                let answer = match removed {
                    Ok(()) => self.retry_removed(&title, &again, &tasks).await,
                    Err(failure) => Err(failure),
                };
                let accepted = answer.is_ok();
                drop(reply.send(answer));
                if accepted {
                    self.reconcile(&title).await?;
                }
                Ok(())
            }
            Returned::Foreseen { foreseen, took } => self.on_foreseen(foreseen, took),
            Returned::Weighed { title, wish, weighed, reply } => {
                self.on_expedite_weighed(&title, wish, *weighed, reply).await
            }
            Returned::Previewed { previewed, found, reply } => {
                self.on_previewed(*previewed, *found, reply).await;
                Ok(())
            }
            Returned::Swept => Ok(()),
        }
    }

    /// Has taken away what attempts that have ended left, and their workers will not see to.
    pub(crate) fn sweep_ended(&mut self, ended: Vec<Fence>) {
        if ended.is_empty() {
            return;
        }
        let artifacts = self.artifacts.clone();
        self.errands.spawn(async move {
            swept(artifacts.sweep_ended(&ended).await);
            Returned::Swept
        });
    }
}

/// What comes of work that somebody waits for. It is given up after a while.
pub(crate) async fn in_time<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| {
        let message = "the storage does not answer; try again once it does";
        Err(Failure::new(Code::FarmUnreachable, message))
    })
}

pub(crate) fn swept(swept: Result<usize, ArtifactError>) {
    if let Err(error) = swept {
        tracing::warn!(%error, "what attempts left was not removed; the next leader does it");
    }
}
