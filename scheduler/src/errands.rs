//! What the scheduler has done beside its loop, because storage is asked, which may be slow or silent.
//!
//! Promises: what an errand comes to is acted on in the loop, after everything that happened before, and by what the store
//! says then. Errands that are under way when the scheduler stops are given up; none of them leaves anything that a scheduler
//! that follows does not see to.

use reelfarm_artifacts::ArtifactError;
use reelfarm_model::title::Submission;
use reelfarm_model::{Failure, Fence, TaskKey, Title, TitleId};
use reelfarm_store::Retried;
use tokio::sync::oneshot;
use tokio::task::JoinError;

use crate::commands::Again;
use crate::name::Online;
use crate::service::{Scheduler, SchedulerError};
use crate::survey::Found;

/// Errands under way at a time.
pub(crate) const AT_ONCE: usize = 16;

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
    /// The artifacts are gone that a task of a title is to make again.
    Removed {
        title: TitleId,
        again: Again,
        task: TaskKey,
        removed: Result<(), ArtifactError>,
        reply: oneshot::Sender<Result<Retried, Failure>>,
    },
    /// What ended attempts had staged is gone, as far as that was possible.
    Swept,
}

impl Scheduler {
    /// Has something done beside the loop.
    pub(crate) fn send_out(&mut self, errand: impl Future<Output = Returned> + Send + 'static) {
        let turns = self.turns.clone();
        self.errands.spawn(async move {
            // Never closed.
            let _turn = turns.acquire().await;
            errand.await
        });
    }

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
            Returned::Removed { title, again, task, removed, reply } => {
                let answer = match removed {
                    Ok(()) => self.retry_removed(&title, &again, &task).await,
                    Err(error) => Err(error.into()),
                };
                let accepted = answer.is_ok();
                drop(reply.send(answer));
                if accepted {
                    self.reconcile(&title).await?;
                }
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
        self.send_out(async move {
            swept(artifacts.sweep_ended(&ended).await);
            Returned::Swept
        });
    }
}

pub(crate) fn swept(swept: Result<usize, ArtifactError>) {
    if let Err(error) = swept {
        tracing::warn!(%error, "what attempts left was not removed; the next leader does it");
    }
}
