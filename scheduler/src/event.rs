//! What the scheduler tells whoever watches a farm: a progress display, tests, the event stream of the HTTP
//! interface. Watching is best effort; the store is the truth.

use reelfarm_api::Foreseen;
use reelfarm_model::{Failure, Progress, TaskKey, TaskKind, Title, TitleId};

/// One thing that happened. What happens to an attempt happens to every title that wants its task: each gets an event.
#[derive(Clone, Debug)]
pub enum FarmEvent {
    /// A title reached another state, or was submitted; without what is [abridged].
    TitleChanged(Box<Title>),
    /// A title's tasks are known.
    Planned {
        /// The title.
        title: TitleId,
        /// Its tasks.
        tasks: Vec<PlannedWork>,
    },
    /// A worker began an attempt, or a title came to want one that is under way.
    TaskStarted {
        /// A title that wants it.
        title: TitleId,
        /// The task.
        task: TaskKey,
        /// Its label, such as `package cmaf-clear-2s`.
        label: String,
        /// The attempt, counted from 1.
        attempt: u32,
    },
    /// An attempt went on.
    TaskProgress {
        /// A title that wants it.
        title: TitleId,
        /// The task.
        task: TaskKey,
        /// How far it is.
        progress: Progress,
    },
    /// An attempt ended.
    TaskFinished {
        /// A title that wants it.
        title: TitleId,
        /// The task.
        task: TaskKey,
        /// Its label.
        label: String,
        /// How it ended.
        result: TaskResult,
    },
    /// Whether a title will be on time is seen differently from before.
    RiskChanged {
        /// The title.
        title: TitleId,
        /// What is to be expected of it.
        foreseen: Foreseen,
    },
}

/// A title without what is long, and of use to those alone who look at it closely: where decoding can begin, cue points, and the
/// report that came with the submission, whose checks are in its own.
pub fn abridged(mut title: Title) -> Title {
    title.submission.qc_report = None;
    title.submission.cue_points.clear();
    if let Some(conclusion) = title.report.as_mut().and_then(|report| report.conclusion.as_mut()) {
        conclusion.decoding.key_frames.clear();
    }
    title
}

impl FarmEvent {
    /// The title that it is about.
    pub const fn title(&self) -> &TitleId {
        match self {
            Self::TitleChanged(title) => &title.submission.title,
            Self::Planned { title, .. }
            | Self::TaskStarted { title, .. }
            | Self::TaskProgress { title, .. }
            | Self::TaskFinished { title, .. }
            | Self::RiskChanged { title, .. } => title,
        }
    }
}

/// How an attempt ended, for those who watch.
#[derive(Clone, Debug)]
pub enum TaskResult {
    /// Its outputs are there.
    Done,
    /// It failed and is tried again.
    WillRetry(Failure),
    /// It failed for good.
    Failed(Failure),
    /// It was handed back or stopped.
    Released,
}

/// One task of a plan.
#[derive(Clone, Debug)]
pub struct PlannedWork {
    /// The task.
    pub task: TaskKey,
    /// Its kind.
    pub kind: TaskKind,
    /// The estimated work in seconds of one processor.
    pub cost: f64,
    /// Whether it was done before.
    pub done: bool,
}
