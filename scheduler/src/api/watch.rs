//! Titles, watched: a stream of server-sent events (WHATWG HTML, 9.2).
//!
//! A stream begins with a snapshot of each title that is watched; then `live`, then what happens. Listening begins before
//! the snapshots are read, so nothing is lost in between; a watcher that falls too far behind is sent the snapshots anew.
//! So a client that connects again needs no memory of what it saw, and `last-event-id` changes nothing.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Extension, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use reelfarm_api::{Problem, TaskResult, TitleForecast, WatchEvent, WatchedTask, WatchedTitle};
use reelfarm_model::{Digest, Title, TitleId};
use reelfarm_store::{StoreError, TaskRecord};
use serde::Deserialize;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::Api;
use super::authorise::Principal;
use super::extract::{Named, Query, unknown_title};
use super::problem::Refusal;
use crate::cost::cost;
use crate::event::{self, FarmEvent};
use crate::handle::Handle;
use crate::leader::Leader;

/// How often a silent stream says that it is there, so that nobody on the way cuts it.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Events between the store and a slow client.
const BUFFER: usize = 64;
/// Titles that one stream names.
const MOST_TITLES: usize = 1000;

/// Which titles to watch.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WatchQuery {
    /// Their names with commas between them; every title that is not final, and those that are submitted later, where it
    /// is absent.
    #[param(pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}(,[A-Za-z0-9][A-Za-z0-9._-]{0,99})*$")]
    title: Option<String>,
}

/// Watches titles. Each event's data is a `WatchEvent`.
#[utoipa::path(get, path = "/events", operation_id = "watchTitles", tag = "titles", params(WatchQuery), responses(
    (status = 200, description = "The stream.", body = WatchEvent, content_type = "text/event-stream"),
    (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Not possible at this moment.", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn titles(
    State(api): State<Api>,
    Extension(handle): Extension<Handle>,
    Extension(Principal { token, .. }): Extension<Principal>,
    Query(query): Query<WatchQuery>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Refusal> {
    let named = match query.title {
        None => None,
        Some(text) => {
            let name = |name: &str| name.parse::<TitleId>().map_err(|_| unknown_title(name));
            let named = text.split(',').map(name).collect::<Result<BTreeSet<_>, _>>()?;
            if named.len() > MOST_TITLES {
                return Err(Refusal::invalid(format!("title names {MOST_TITLES} titles at most")));
            }
            Some(named)
        }
    };
    watch(api, handle, token, named).await
}

/// Watches a title. Each event's data is a `WatchEvent`.
#[utoipa::path(get, path = "/titles/{title}/events", operation_id = "watchTitle", tag = "titles", params(
    ("title" = TitleId, Path, description = "The title's name."),
), responses(
    (status = 200, description = "The stream.", body = WatchEvent, content_type = "text/event-stream"),
    (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Not possible at this moment.", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn title(
    State(api): State<Api>,
    Extension(handle): Extension<Handle>,
    Extension(Principal { token, .. }): Extension<Principal>,
    Named(id): Named,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Refusal> {
    watch(api, handle, token, Some(BTreeSet::from([id]))).await
}

async fn watch(
    api: Api,
    handle: Handle,
    token: Digest,
    named: Option<BTreeSet<TitleId>>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Refusal> {
    let place = api.watchers.clone().try_acquire_owned().map_err(|_| Refusal::busy("watchers"))?;
    let events = handle.subscribe();
    for id in named.iter().flatten() {
        if api.store.title(id).await?.is_none() {
            return Err(unknown_title(id.as_str()));
        }
    }
    let (sender, receiver) = mpsc::channel(BUFFER);
    // The handle is not kept: the stream ends when the scheduler that it belongs to does.
    tokio::spawn(run(Watcher { api, token, named, sender }, events, place));
    let stream = futures::stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|event| (Ok(event), receiver))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

/// Why a stream ends.
enum End {
    ClientGone,
    Store(StoreError),
}

impl From<StoreError> for End {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

struct Watcher {
    api: Api,
    /// The digest of the token under which it watches.
    token: Digest,
    /// `None` for all.
    named: Option<BTreeSet<TitleId>>,
    sender: mpsc::Sender<Event>,
}

async fn run(watcher: Watcher, events: broadcast::Receiver<FarmEvent>, _place: OwnedSemaphorePermit) {
    let (stop, mut leader) = (watcher.api.stop.clone(), watcher.api.leader.clone());
    let deposed = leader.wait_for(|leader| !matches!(leader, Leader::Here(_)));
    let end = tokio::select! {
        end = watcher.tell(events) => end,
        end = watcher.lose_token() => end,
        // Whoever watches asks the next leader.
        _ = deposed => Ok(()),
        () = stop.cancelled() => Ok(()),
        () = watcher.sender.closed() => Ok(()),
    };
    if let Err(End::Store(error)) = end {
        tracing::warn!(%error, "a watcher is cut off: the database does not tell");
    }
}

impl Watcher {
    /// Waits until the token is good no more.
    async fn lose_token(&self) -> Result<(), End> {
        loop {
            tokio::time::sleep(self.api.limits.token_look).await;
            if self.api.store.token(&self.token).await?.is_none() {
                return Ok(());
            }
        }
    }

    async fn tell(&self, mut events: broadcast::Receiver<FarmEvent>) -> Result<(), End> {
        self.tell_all().await?;
        loop {
            match events.recv().await {
                Ok(event) => self.tell_event(event).await?,
                Err(RecvError::Lagged(_)) => self.tell_all().await?,
                Err(RecvError::Closed) => return Ok(()),
            }
        }
    }

    /// A snapshot of every title that is watched.
    async fn tell_all(&self) -> Result<(), End> {
        match &self.named {
            None => {
                for title in self.api.store.live_titles().await? {
                    self.tell_title(title).await?;
                }
            }
            Some(named) => {
                for id in named {
                    if let Some(title) = self.api.store.title(id).await? {
                        self.tell_title(title).await?;
                    }
                }
            }
        }
        self.tell_of_danger().await?;
        self.send(&WatchEvent::Live {}).await
    }

    /// What was foreseen before somebody watched.
    async fn tell_of_danger(&self) -> Result<(), End> {
        let forecasts = match &*self.api.leader.borrow() {
            Leader::Here(handle) => handle.forecasts(),
            Leader::At(_) | Leader::Nobody => return Ok(()),
        };
        let is_named = |title: &TitleId| self.named.as_ref().is_none_or(|named| named.contains(title));
        for (title, TitleForecast { foreseen, .. }) in forecasts {
            if is_named(&title) && foreseen.prospect().is_bad() {
                self.send(&WatchEvent::RiskChanged { title, foreseen }).await?;
            }
        }
        Ok(())
    }

    async fn tell_title(&self, title: Title) -> Result<(), End> {
        let tasks = self.api.store.tasks_of(&title.submission.title).await?;
        let tasks = tasks.iter().map(watched).collect();
        let title = event::abridged(title);
        self.send(&WatchEvent::Snapshot(Box::new(WatchedTitle { title, tasks }))).await
    }

    async fn tell_event(&self, event: FarmEvent) -> Result<(), End> {
        if !self.named.as_ref().is_none_or(|named| named.contains(event.title())) {
            return Ok(());
        }
        let event = match event {
            // Its tasks are another set than before.
            FarmEvent::Planned { title, .. } => {
                return match self.api.store.title(&title).await? {
                    Some(title) => self.tell_title(title).await,
                    None => Ok(()),
                };
            }
            FarmEvent::TitleChanged(title) => WatchEvent::TitleChanged { title },
            FarmEvent::TaskStarted { title, task, label, attempt } => {
                WatchEvent::TaskStarted { title, task, label, attempt }
            }
            FarmEvent::TaskProgress { title, task, progress } => {
                WatchEvent::TaskProgress { title, task, progress }
            }
            FarmEvent::TaskFinished { title, task, label, result } => {
                WatchEvent::TaskFinished { title, task, label, result: task_result(result) }
            }
            FarmEvent::RiskChanged { title, foreseen } => WatchEvent::RiskChanged { title, foreseen },
        };
        self.send(&event).await
    }

    async fn send(&self, event: &WatchEvent) -> Result<(), End> {
        // An event is made of texts and numbers alone, so that it always has a form in JSON.
        let data = serde_json::to_string(event).unwrap_or_default();
        let event = Event::default().event(event.name()).data(data);
        self.sender.send(event).await.map_err(|_| End::ClientGone)
    }
}

fn watched(record: &TaskRecord) -> WatchedTask {
    WatchedTask {
        task: record.task.key,
        kind: record.task.spec.kind(),
        label: record.task.spec.label_with(record.source.as_ref()),
        cost: cost(&record.task),
        state: record.state,
        attempt: record.attempt,
        progress: record.progress,
    }
}

fn task_result(result: event::TaskResult) -> TaskResult {
    match result {
        event::TaskResult::Done => TaskResult::Done,
        event::TaskResult::WillRetry(failure) => TaskResult::WillRetry(failure),
        event::TaskResult::Failed(failure) => TaskResult::Failed(failure),
        event::TaskResult::Released => TaskResult::Released,
    }
}
