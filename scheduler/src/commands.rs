//! What people ask of titles that are there, and of workers.
//!
//! Having something done again takes its artifacts away before the store hears of it: otherwise a worker would find them
//! and report them as made. A scheduler that dies in between leaves artifacts missing, which are made again where
//! anything needs them.

use std::collections::BTreeSet;

use reelfarm_model::message::ControlMessage;
use reelfarm_model::{ArtifactKey, Code, Failure, TaskKey, TaskKind, Title, TitleId, TitleState, WorkerId};
use reelfarm_store::{Retried, TaskRecord};
use tokio::sync::oneshot;

use crate::errands::{Returned, in_time};
use crate::event::FarmEvent;
use crate::service::{Scheduler, SchedulerError};

/// What of a title to do again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Again {
    /// A task, with all that was made from it.
    Task(TaskKey),
    /// A rendition, by its name, with all that was made from it. What else its task made stays.
    Rendition(String),
}

impl Scheduler {
    /// Holds a title, or lets it go on.
    pub(crate) async fn hold(&mut self, id: &TitleId, held: bool) -> Result<Title, Failure> {
        let Some(title) = self.store.hold(id, held).await? else {
            let known = self.known_title(id).await?;
            return Err(wrong_state(&known, "held or released"));
        };
        self.order_outdated(id);
        tracing::info!(title = %id, held, "held or released");
        self.emit(FarmEvent::TitleChanged(Box::new(title.clone())));
        Ok(title)
    }

    /// Submits a title that ended without success anew.
    pub(crate) async fn retry_title(&mut self, id: &TitleId) -> Result<Title, Failure> {
        let Some(submitted) = self.store.retry_title(id).await? else {
            let known = self.known_title(id).await?;
            return Err(wrong_state(
                &known,
                "tried again as a whole, which is for those that failed, were rejected or cancelled; name a task or a rendition",
            ));
        };
        self.wants_changed(id, submitted.stopped).await;
        tracing::info!(title = %id, generation = submitted.title.generation, "tried again");
        self.emit(FarmEvent::TitleChanged(Box::new(submitted.title.clone())));
        Ok(submitted.title)
    }

    /// Has a part of a title done again, once what it made is taken away.
    pub(crate) async fn retry_part(
        &mut self,
        title: TitleId,
        again: Again,
        reply: oneshot::Sender<Result<Retried, Failure>>,
    ) {
        let (tasks, outputs) = match self.part_of(&title, &again).await {
            Ok(part) => part,
            Err(failure) => return drop(reply.send(Err(failure))),
        };
        let artifacts = self.artifacts.clone();
        self.errands.spawn(async move {
            let removing = async {
                for output in &outputs {
                    artifacts.remove(*output).await?;
                }
                Ok(())
            };
            let removed = in_time(removing).await;
            Returned::Removed { title, again, tasks, outputs, removed, reply }
        });
    }

    async fn part_of(
        &self,
        id: &TitleId,
        again: &Again,
    ) -> Result<(BTreeSet<TaskKey>, BTreeSet<ArtifactKey>), Failure> {
        let known = self.known_title(id).await?;
        if known.state == TitleState::Withdrawing {
            return Err(wrong_state(&known, "tried again until that is done"));
        }
        part(&self.store.tasks_of(id).await?, again)
            .ok_or_else(|| Failure::new(Code::NotFound, format!("title {id} has {}", nothing_such(again))))
    }

    /// Puts a part of a title back whose artifacts are gone.
    pub(crate) async fn retry_removed(
        &mut self,
        id: &TitleId,
        again: &Again,
        tasks: &BTreeSet<TaskKey>,
    ) -> Result<Retried, Failure> {
        let Some(retried) = self.store.retry_tasks(id, tasks).await? else {
            return Err(wrong_state(&self.known_title(id).await?, "tried again"));
        };
        self.titles_outdated = true;
        self.order_outdated(id);
        tracing::info!(title = %id, tasks = retried.tasks.len(), ?again, "tried again");
        self.emit(FarmEvent::TitleChanged(Box::new(retried.title.clone())));
        Ok(retried)
    }

    /// Tells a worker to take no more tasks and to end once those that it has are done.
    pub(crate) async fn drain(&self, worker: &WorkerId) -> Result<(), Failure> {
        if !self.workers.known().iter().any(|known| known.worker == *worker) {
            return Err(Failure::new(
                Code::NotFound,
                format!("no worker called {worker} has been heard of lately"),
            ));
        }
        let drain = ControlMessage::Drain { worker: worker.clone() };
        self.broker.send_control(&drain).await.map_err(|error| {
            Failure::new(Code::FarmUnreachable, format!("worker {worker} was not told to drain: {error}"))
        })?;
        tracing::info!(%worker, "told to drain");
        Ok(())
    }

    pub(crate) async fn known_title(&self, id: &TitleId) -> Result<Title, Failure> {
        let known = self.store.title(id).await?;
        known.ok_or_else(|| Failure::new(Code::TitleNotFound, format!("no title is called {id}")))
    }
}

/// A failure that the answer to a command can carry; what else went wrong is the scheduler's.
pub(crate) fn explain(error: SchedulerError) -> Failure {
    match error {
        SchedulerError::Store(error) => error.into(),
        other => Failure::new(Code::Internal, other.to_string()),
    }
}

pub(crate) fn wrong_state(title: &Title, what: &str) -> Failure {
    let state = match title.state {
        TitleState::Review => "in review",
        state => state.as_str(),
    };
    let id = &title.submission.title;
    Failure::new(Code::TitleStateWrong, format!("title {id} is {state} and cannot be {what}"))
}

fn nothing_such(again: &Again) -> String {
    match again {
        Again::Task(task) => format!("no task {}", task.short()),
        Again::Rendition(name) => format!("no rendition called {name:?}, or none yet"),
    }
}

/// What encodes a rendition: one task, or one for each of its chunks.
fn encodes<'a>(tasks: &'a [TaskRecord], rendition: &'a str) -> impl Iterator<Item = &'a TaskRecord> {
    tasks.iter().filter(move |record| {
        let kind = record.task.spec.kind();
        matches!(kind, TaskKind::EncodeVideo | TaskKind::EncodeAudio)
            && record.task.output(rendition).is_some()
    })
}

/// The tasks to do again, and the artifacts that must not be found when they are.
fn part(tasks: &[TaskRecord], again: &Again) -> Option<(BTreeSet<TaskKey>, BTreeSet<ArtifactKey>)> {
    let (found, mut outputs): (BTreeSet<TaskKey>, BTreeSet<ArtifactKey>) = match again {
        Again::Task(task) => {
            let found = tasks.iter().find(|record| record.task.key == *task)?;
            ([*task].into(), found.task.outputs.iter().map(|output| output.key).collect())
        }
        Again::Rendition(name) => {
            let made = |record: &TaskRecord| Some((record.task.key, record.task.output(name)?));
            encodes(tasks, name).filter_map(made).unzip()
        }
    };
    if found.is_empty() {
        return None;
    }
    // What was made from them: their readers, and those that need a task whose outputs go.
    loop {
        let readers = tasks.iter().filter(|record| !record.task.spec.inputs().is_disjoint(&outputs));
        let made: BTreeSet<_> =
            readers.flat_map(|record| record.task.outputs.iter().map(|output| output.key)).collect();
        if made.is_subset(&outputs) {
            return Some((found, outputs));
        }
        outputs.extend(made);
    }
}

#[cfg(test)]
mod tests {
    use reelfarm_model::recipe::ToolVersions;
    use reelfarm_model::task::{QcSpec, UploadSpec};
    use reelfarm_model::{Digest, Progress, Task, TaskSpec, TaskState};

    use super::*;

    fn record(spec: TaskSpec) -> TaskRecord {
        TaskRecord {
            task: Task::new(spec, &ToolVersions::default()),
            source: None,
            state: TaskState::Done,
            attempt: 1,
            failures: 0,
            losses: 0,
            uncounted: 0,
            progress: Progress::default(),
            worker: None,
            last_failure: None,
            not_before_ms: None,
            dispatched_ms: None,
            started_ms: None,
            finished_ms: None,
            result: None,
            wanted_since_ms: None,
            needs: BTreeSet::new(),
        }
    }

    #[test]
    fn what_was_made_from_what_is_done_again_goes_too_and_nothing_else() {
        let qc = |name: &[u8]| record(TaskSpec::Qc(QcSpec { source: Digest::of(name) }));
        let upload = |of: &TaskRecord| {
            record(TaskSpec::Upload(UploadSpec {
                origin: "/origin".into(),
                title: "film".parse().unwrap(),
                media_path: "media/x".into(),
                media: of.task.only_output().unwrap(),
            }))
        };
        let (first, other) = (qc(b"first"), qc(b"other"));
        let (of_first, of_other) = (upload(&first), upload(&other));
        let output = |record: &TaskRecord| record.task.only_output().unwrap();
        let tasks = [first.clone(), other, of_first.clone(), of_other];
        let (again, outputs) = part(&tasks, &Again::Task(first.task.key)).unwrap();
        assert_eq!(again, BTreeSet::from([first.task.key]));
        assert_eq!(outputs, BTreeSet::from([output(&first), output(&of_first)]));
        assert_eq!(part(&tasks, &Again::Rendition("720p".to_owned())), None);
    }
}
