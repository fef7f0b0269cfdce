//! Titles, followed until they have ended: across lost connections and changes of the leader.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use reelfarm_api::{TaskResult, TitleStatus, WatchEvent, WatchedTitle};
use reelfarm_model::{Failure, TaskState, Title, TitleId, TitleState};
use reelfarm_scheduler::FarmEvent;
use reelfarm_scheduler::event::{PlannedWork, TaskResult as FarmTaskResult};
use reqwest::Method;

use super::events::Stream;
use super::farm::{Client, is_passing};
use crate::exit::Exit;
use crate::printer::Printer;
use crate::progress::Display;
use crate::signals::Signals;
use crate::verbs::review::{answer, asked};

/// How long a farm that does not answer is asked again.
const PATIENCE: Duration = Duration::from_secs(120);
/// The pause before it is asked again.
const PAUSE: Duration = Duration::from_secs(1);
/// More titles than these are not named, because addresses have an end: all are watched, and the others passed over.
const MOST_NAMED: usize = 50;

/// What following titles came to.
pub struct Followed {
    /// The titles as they were seen last.
    pub titles: BTreeMap<TitleId, Title>,
    /// Why following ended before all of them had; `None` where all have.
    pub end: Option<Exit>,
}

/// Follows titles until all have ended, a signal comes, or the time is over.
///
/// # Errors
/// A title is unknown; the farm refuses, or cannot be reached for long.
pub async fn follow(
    client: &Client,
    titles: &BTreeSet<TitleId>,
    limit: Option<Duration>,
    signals: &mut Signals,
    printer: &Printer,
) -> Result<Followed, Failure> {
    let mut following = Following {
        client,
        open: titles.clone(),
        seen: BTreeMap::new(),
        display: Display::new(printer),
        printer: printer.clone(),
    };
    for title in titles {
        following.display.add(title);
    }
    let time_is_over = async {
        match limit {
            Some(limit) => tokio::time::sleep(limit).await,
            None => std::future::pending().await,
        }
    };
    let end = tokio::select! {
        ended = following.until_all_have_ended() => ended.map(|()| None),
        exit = signals.next() => Ok(Some(exit)),
        () = time_is_over => Ok(Some(Exit::TimedOut)),
    };
    following.display.end();
    Ok(Followed { end: end?, titles: following.seen })
}

struct Following<'a> {
    client: &'a Client,
    open: BTreeSet<TitleId>,
    seen: BTreeMap<TitleId, Title>,
    display: Display,
    printer: Printer,
}

impl Following<'_> {
    async fn until_all_have_ended(&mut self) -> Result<(), Failure> {
        let mut silent_since: Option<Instant> = None;
        while !self.open.is_empty() {
            match self.listen().await {
                // It ended after it had begun: another scheduler leads now, or this one was stopped.
                Ok(()) => silent_since = None,
                Err(failure) if !is_passing(failure.code) => return Err(failure),
                Err(failure) => {
                    let since = *silent_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= PATIENCE {
                        return Err(failure);
                    }
                    tracing::info!(%failure, "asking again");
                }
            }
            if !self.open.is_empty() {
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(())
    }

    /// Listens to one stream until it ends or all titles have.
    async fn listen(&mut self) -> Result<(), Failure> {
        let mut request = self.client.request(Method::GET, &["events"]);
        if self.open.len() <= MOST_NAMED {
            let names: Vec<_> = self.open.iter().map(TitleId::as_str).collect();
            request = request.query(&[("title", names.join(","))]);
        }
        let mut stream = Stream::new(self.client.send(request).await?);
        let mut told = BTreeSet::new();
        while !self.open.is_empty() {
            let event = match stream.next().await {
                Ok(Some(event)) => event,
                Ok(None) => return Ok(()),
                Err(error) => {
                    tracing::info!(error = %error.without_url(), "the stream of events broke");
                    return Ok(());
                }
            };
            match event {
                WatchEvent::Snapshot(snapshot) => {
                    told.insert(snapshot.title.submission.title.clone());
                    self.on_snapshot(*snapshot);
                }
                WatchEvent::Live {} => self.ask_for_others(&told).await?,
                event => self.on_event(event),
            }
        }
        Ok(())
    }

    /// A stream that names no titles says nothing of those that have ended.
    async fn ask_for_others(&mut self, told: &BTreeSet<TitleId>) -> Result<(), Failure> {
        for id in self.open.clone().difference(told) {
            let status: TitleStatus = self.client.get(&["titles", id.as_str()], &()).await?;
            self.on_title(status.title);
        }
        Ok(())
    }

    fn on_snapshot(&mut self, snapshot: WatchedTitle) {
        let WatchedTitle { title, tasks } = snapshot;
        let id = title.submission.title.clone();
        if !self.open.contains(&id) {
            return;
        }
        let work = |task: &reelfarm_api::WatchedTask| PlannedWork {
            task: task.task,
            kind: task.kind,
            cost: task.cost,
            done: task.state == TaskState::Done,
        };
        // Before its source was checked, and accepted where a person has to, a title has tasks, and no plan.
        let is_planned = !matches!(title.state, TitleState::Checking | TitleState::Review);
        if is_planned && title.report.is_some() {
            let planned = tasks.iter().map(work).collect();
            self.display.on_event(&FarmEvent::Planned { title: id.clone(), tasks: planned });
        }
        for task in tasks.iter().filter(|task| task.state == TaskState::Running) {
            self.display.on_event(&FarmEvent::TaskStarted {
                title: id.clone(),
                task: task.task,
                label: task.label.clone(),
                attempt: task.attempt,
            });
            let progress = task.progress;
            self.display.on_event(&FarmEvent::TaskProgress { title: id.clone(), task: task.task, progress });
        }
        self.on_title(title);
    }

    fn on_event(&mut self, event: WatchEvent) {
        let event = match event {
            WatchEvent::TitleChanged { title } => return self.on_title(*title),
            WatchEvent::TaskStarted { title, task, label, attempt } => {
                FarmEvent::TaskStarted { title, task, label, attempt }
            }
            WatchEvent::TaskProgress { title, task, progress } => {
                FarmEvent::TaskProgress { title, task, progress }
            }
            WatchEvent::TaskFinished { title, task, label, result } => {
                FarmEvent::TaskFinished { title, task, label, result: farm_result(result) }
            }
            WatchEvent::RiskChanged { title, foreseen } => FarmEvent::RiskChanged { title, foreseen },
            WatchEvent::Snapshot(_) | WatchEvent::Live {} => return,
        };
        if self.open.contains(event.title()) {
            self.display.on_event(&event);
        }
    }

    fn on_title(&mut self, title: Title) {
        let id = title.submission.title.clone();
        if !self.open.contains(&id) {
            return;
        }
        self.display.on_event(&FarmEvent::TitleChanged(Box::new(title.clone())));
        let waited = self.seen.get(&id).is_some_and(|seen| seen.state == TitleState::Review);
        if title.state == TitleState::Review && !waited {
            self.printer.line(&format!("{id}: it waits for a person: {}", answer(id.as_str(), None, None)));
            let questions = title.report.iter().flat_map(asked);
            questions.for_each(|question| self.printer.line(&format!("  look at {question}")));
        }
        if title.state.is_final() {
            self.open.remove(&id);
        }
        self.seen.insert(id, title);
    }
}

fn farm_result(result: TaskResult) -> FarmTaskResult {
    match result {
        TaskResult::Done => FarmTaskResult::Done,
        TaskResult::WillRetry(failure) => FarmTaskResult::WillRetry(failure),
        TaskResult::Failed(failure) => FarmTaskResult::Failed(failure),
        TaskResult::Released => FarmTaskResult::Released,
    }
}
