//! How the rest of a process talks to its scheduler: commands that the loop works off one after the other, and what it lets
//! everyone see.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use reelfarm_api::{ExpediteAnswer, ExpediteRequest, PlanPreview, TitleForecast, TitleOrder};
use reelfarm_model::message::WorkerReport;
use reelfarm_model::recipe::ToolVersions;
use reelfarm_model::title::{LadderText, Submission};
use reelfarm_model::{Code, Failure, Pool, Title, TitleId, WorkerId};
use reelfarm_queue::{Backlog, Broker, BrokerError};
use reelfarm_store::Retried;
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::commands::Again;
use crate::event::FarmEvent;
use crate::expedite::ExpediteWish;
use crate::forecast::Forecasts;
use crate::postponed::Postponed;
use crate::review::DecisionWish;
use crate::service::SchedulerError;
use crate::workers::Workers;

/// How long the place of a title in line is waited for.
const PLACE_PATIENCE: Duration = Duration::from_secs(2);

/// What the loop is told to do, with where its answer goes.
pub(crate) enum Command {
    Submit(Box<Submission>, oneshot::Sender<Result<Title, Failure>>),
    Cancel(TitleId, oneshot::Sender<Result<(), Failure>>),
    Hold(TitleId, bool, oneshot::Sender<Result<Title, Failure>>),
    RetryTitle(TitleId, oneshot::Sender<Result<Title, Failure>>),
    RetryPart(TitleId, Again, oneshot::Sender<Result<Retried, Failure>>),
    Drain(WorkerId, oneshot::Sender<Result<(), Failure>>),
    Place(TitleId, oneshot::Sender<Option<TitleOrder>>),
    Expedite(TitleId, ExpediteWish, oneshot::Sender<Result<ExpediteAnswer, Failure>>),
    Decide(TitleId, DecisionWish, oneshot::Sender<Result<Title, Failure>>),
    Preview(Box<Submission>, oneshot::Sender<Result<PlanPreview, Failure>>),
    Recode(TitleId, Box<LadderText>, ToolVersions, oneshot::Sender<Result<Title, Failure>>),
}

/// Talks to a running scheduler.
#[derive(Clone)]
pub struct Handle {
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) events: broadcast::Sender<FarmEvent>,
    pub(crate) workers: Workers,
    pub(crate) postponed: Postponed,
    pub(crate) forecasts: Forecasts,
    pub(crate) broker: Arc<dyn Broker>,
}

impl Handle {
    /// Submits a title. Submitting what is done already, or under way, changes nothing.
    ///
    /// # Errors
    /// The name belongs to another source, or the scheduler or its store cannot be reached.
    pub async fn submit(&self, submission: Submission) -> Result<Title, Failure> {
        self.ask(|reply| Command::Submit(Box::new(submission), reply)).await
    }

    /// Stops a title that is under way and takes away what it has put at the origin and is not online. One whose files are being taken away
    /// already goes on with that.
    ///
    /// # Errors
    /// No such title, it has ended already, or the scheduler or its store cannot be reached.
    pub async fn cancel(&self, title: TitleId) -> Result<(), Failure> {
        self.ask(|reply| Command::Cancel(title, reply)).await
    }

    /// Holds a title, so that nothing is dispatched for its sake, or lets it go on.
    ///
    /// # Errors
    /// No such title, it is withdrawing or has ended, or the scheduler or its store cannot be reached.
    pub async fn hold(&self, title: TitleId, held: bool) -> Result<Title, Failure> {
        self.ask(|reply| Command::Hold(title, held, reply)).await
    }

    /// Submits a title that ended without success anew, as it was submitted.
    ///
    /// # Errors
    /// No such title, it did not end so, or the scheduler or its store cannot be reached.
    pub async fn retry_title(&self, title: TitleId) -> Result<Title, Failure> {
        self.ask(|reply| Command::RetryTitle(title, reply)).await
    }

    /// Has a task or a rendition of a title made again, with all that was made from it.
    ///
    /// # Errors
    /// No such title or part, it is withdrawing, or the scheduler, its store or the artifacts cannot be reached.
    pub async fn retry_part(&self, title: TitleId, again: Again) -> Result<Retried, Failure> {
        self.ask(|reply| Command::RetryPart(title, again, reply)).await
    }

    /// Tells a worker to take no more tasks and to end once those that it has are done.
    ///
    /// # Errors
    /// No such worker has been heard of lately, or the scheduler or the broker cannot be reached.
    pub async fn drain(&self, worker: WorkerId) -> Result<(), Failure> {
        self.ask(|reply| Command::Drain(worker, reply)).await
    }

    /// What lies in the queues of the pools.
    ///
    /// # Errors
    /// The broker cannot be reached.
    pub async fn backlog(&self) -> Result<BTreeMap<Pool, Backlog>, BrokerError> {
        self.broker.backlog().await
    }

    /// The workers that have been heard of lately, by their last reports.
    pub fn workers(&self) -> Vec<WorkerReport> {
        self.workers.known()
    }

    /// Why a title could not be planned and is looked at again, where it could not.
    pub fn postponed(&self, title: &Title) -> Option<Failure> {
        self.postponed.why(title)
    }

    /// What a title's order follows from, and where its tasks stand in line; `None` where it has ended or is not known, or
    /// the scheduler has stopped.
    pub async fn place(&self, title: TitleId) -> Option<TitleOrder> {
        let (reply, answer) = oneshot::channel();
        let asked = async {
            self.commands.send(Command::Place(title, reply)).await.ok()?;
            answer.await.ok().flatten()
        };
        // The loop may be taking over a great backlog: whoever asks for a title's state does not wait for its place.
        tokio::time::timeout(PLACE_PATIENCE, asked).await.ok().flatten()
    }

    /// Has a title go before all others of its route until it is online, or answers what would come of that.
    ///
    /// # Errors
    /// No such title, it is withdrawing or has ended, it is a recode, its route has expedited as many titles today as it may,
    /// or the scheduler or its store cannot be reached.
    pub async fn expedite(
        &self,
        title: TitleId,
        request: ExpediteRequest,
        requester: Option<String>,
    ) -> Result<ExpediteAnswer, Failure> {
        self.ask(|reply| Command::Expedite(title, ExpediteWish { request, requester }, reply)).await
    }

    /// Has a title that QC leaves to people made, or rejects it.
    ///
    /// # Errors
    /// No such title, there is nothing to be decided about it or something else by now, a rejection without a reason, or the
    /// scheduler or its store cannot be reached.
    pub async fn decide(&self, title: TitleId, wish: DecisionWish) -> Result<Title, Failure> {
        self.ask(|reply| Command::Decide(title, wish, reply)).await
    }

    /// What would be done for a title that was checked before if it were submitted so. Nothing is changed.
    ///
    /// # Errors
    /// No such title, it was not checked so far, QC would reject it or leave it to a person, or the scheduler, its store or
    /// storage cannot be reached.
    pub async fn preview(&self, submission: Submission) -> Result<PlanPreview, Failure> {
        self.ask(|reply| Command::Preview(Box::new(submission), reply)).await
    }

    /// Makes a title that is online anew with another ladder and these tools: [`Recoding`](crate::Recoding).
    ///
    /// # Errors
    /// No such title, it is not online, or the scheduler or its store cannot be reached.
    pub async fn recode(
        &self,
        title: TitleId,
        ladder: LadderText,
        tools: ToolVersions,
    ) -> Result<Title, Failure> {
        self.ask(|reply| Command::Recode(title, Box::new(ladder), tools, reply)).await
    }

    /// What is to be expected of the titles that are under way, as far as that was worked out.
    pub fn forecasts(&self) -> BTreeMap<TitleId, TitleForecast> {
        self.forecasts.all()
    }

    /// Everything that happens from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<FarmEvent> {
        self.events.subscribe()
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, Failure>>) -> Command,
    ) -> Result<T, Failure> {
        let gone = || Failure::new(Code::FarmUnreachable, SchedulerError::Stopped.to_string());
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}
