//! "Why is it waiting?": what of a title runs, what is next and what keeps it, what waits for what, and which attempts
//! failed. Worked out from a title's status; pure.

use std::collections::{BTreeMap, BTreeSet};

use reelfarm_model::qc::Verdict;
use reelfarm_model::{Failure, Pool, Progress, TaskKey, TaskState, Title, TitleState, WorkerId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::order::{TaskPlace, TitleOrder};
use crate::status::{AttemptEnd, TaskStatus};

/// What a title waits for. Times are milliseconds since 1970 UTC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Standing {
    /// In a sentence.
    pub summary: String,
    /// What runs.
    pub running: Vec<RunningTask>,
    /// What may run next, and what keeps each.
    pub next: Vec<NextTask>,
    /// What waits for other tasks.
    pub blocked: Vec<BlockedTask>,
    /// Why it could not be planned, where it could not and is looked at again.
    pub postponed: Option<Failure>,
    /// What its order follows from; absent where no leading scheduler was asked, and of a title that has ended.
    pub order: Option<TitleOrder>,
    /// Attempts of the title's tasks that did not succeed, the latest at the front.
    pub failed_attempts: Vec<FailedAttempt>,
}

/// A task that runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RunningTask {
    /// The task.
    pub task: TaskKey,
    /// Its label.
    pub label: String,
    /// The attempt.
    pub attempt: u32,
    /// Who works on it.
    pub worker: Option<WorkerId>,
    /// Since when.
    pub since_ms: Option<i64>,
    /// How far it is.
    pub progress: Progress,
}

/// A task that waits for no other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NextTask {
    /// The task.
    pub task: TaskKey,
    /// Its label.
    pub label: String,
    /// The pool whose workers run it.
    pub pool: Pool,
    /// What keeps it.
    #[serde(flatten)]
    pub reason: Reason,
    /// Where it stands in line, where that is known.
    pub place: Option<TaskPlace>,
}

/// What the scheduler that leads knows beyond the store. Nothing of it where it was not asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaderView {
    /// The slots of all workers that take tasks, by pool.
    pub slots: Option<BTreeMap<Pool, PoolSlots>>,
    /// Why it could not plan the title, where it could not.
    pub postponed: Option<Failure>,
    /// What the title's order follows from.
    pub order: Option<TitleOrder>,
}

/// What keeps a task that waits for no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "because", rename_all = "kebab-case")]
pub enum Reason {
    /// An operator holds the title.
    Held,
    /// An attempt failed, and the next is made after a while.
    BackOff {
        /// Not before this time.
        until_ms: i64,
    },
    /// No worker that is there serves its pool.
    NoWorker,
    /// Every slot of its pool is taken.
    NoSlot,
    /// It was sent to its pool, and no worker has reported its start.
    Sent,
    /// It is its turn as soon as the scheduler comes to it; or others go before it.
    Queued,
}

/// A task that waits for others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BlockedTask {
    /// The task.
    pub task: TaskKey,
    /// Its label.
    pub label: String,
    /// The labels of those that it needs and that are not done.
    pub waits_for: Vec<String>,
}

/// An attempt that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FailedAttempt {
    /// The task.
    pub task: TaskKey,
    /// Its label.
    pub label: String,
    /// The attempt.
    pub attempt: u32,
    /// Who worked on it; the name says the host.
    pub worker: Option<WorkerId>,
    /// How it ended: failed or lost.
    pub outcome: AttemptEnd,
    /// Why.
    pub failure: Option<Failure>,
    /// When it ended.
    pub finished_ms: Option<i64>,
}

/// The slots of a pool's workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolSlots {
    /// All.
    pub total: u32,
    /// Those that an attempt runs in.
    pub busy: u32,
}

impl Standing {
    /// What a title waits for, at the present time `now_ms`.
    pub fn of(title: &Title, tasks: &[TaskStatus], leader: LeaderView, now_ms: i64) -> Self {
        let LeaderView { slots, postponed, order } = leader;
        let mut standing = Self {
            summary: String::new(),
            running: Vec::new(),
            next: Vec::new(),
            blocked: Vec::new(),
            postponed: postponed.filter(|_| !title.state.is_final()),
            order: order.filter(|_| !title.state.is_final()),
            failed_attempts: failed_attempts(tasks),
        };
        // A title that has ended waits for nothing, whatever its tasks do for others.
        if !title.state.is_final() {
            for task in tasks {
                match task.state {
                    TaskState::Running => standing.running.push(running(task)),
                    TaskState::Ready | TaskState::Dispatched => {
                        let reason = reason(title, task, slots.as_ref(), now_ms);
                        let places = standing.order.iter().flat_map(|order| &order.tasks);
                        let place = places.copied().find(|place| place.task == task.task.key);
                        standing.next.push(next(task, reason, place));
                    }
                    TaskState::Waiting => standing.blocked.push(blocked(task, tasks)),
                    TaskState::Done | TaskState::Failed | TaskState::Cancelled => {}
                }
            }
        }
        standing.summary = standing.summarise(title, now_ms);
        standing
    }

    fn summarise(&self, title: &Title, now_ms: i64) -> String {
        if title.state.is_final() {
            return match &title.failure {
                Some(failure) => format!("it is {}: {failure}", title.state.as_str()),
                None => format!("it is {}", title.state.as_str()),
            };
        }
        let doing = match title.state {
            TitleState::Withdrawing => "what it left at the origin is being taken away; ",
            _ => "",
        };
        if let Some(first) = self.running.first() {
            let others = match self.running.len() - 1 {
                0 => String::new(),
                others => format!(" and {others} more"),
            };
            let at = first.worker.as_ref().map(|worker| format!(" on {worker}")).unwrap_or_default();
            let held = if title.held { "; it is held, so nothing follows" } else { "" };
            return format!("{doing}{} runs{at}{others}{held}", first.label);
        }
        match self.next.first() {
            Some(next) => format!("{doing}{} {}", next.label, next.sentence(now_ms)),
            None if let Some(failure) = &self.postponed => {
                format!("it cannot be planned yet, and is looked at again: {failure}")
            }
            None if title.state == TitleState::Review => asked(title),
            None if title.held => format!("{doing}it is held; `reelfarm release` lets it go on"),
            None if title.state == TitleState::Checking => {
                "the scheduler works out what is to be made of it, and what of that is there already"
                    .to_owned()
            }
            None => format!("{doing}the scheduler looks at it next"),
        }
    }
}

impl NextTask {
    /// What keeps it, as the rest of a sentence.
    pub fn sentence(&self, now_ms: i64) -> String {
        let pool = self.pool.as_str();
        let line = self.place.map_or(String::new(), |place| {
            let urgency = place.urgency.as_str();
            match place.before {
                0 => format!("; it is {urgency}, and the first of its route"),
                1 => format!("; it is {urgency}, and one task of its route goes before it"),
                before => format!("; it is {urgency}, and {before} tasks of its route go before it"),
            }
        });
        match self.reason {
            Reason::Held => "is held; `reelfarm release` lets it go on".to_owned(),
            Reason::BackOff { until_ms } => {
                let seconds = (until_ms - now_ms).max(0).div_euclid(1000) + 1;
                format!("failed and is tried again in {seconds} s")
            }
            Reason::NoWorker => format!("waits for a worker: none serves the pool {pool}"),
            Reason::NoSlot => format!("waits for a free slot in the pool {pool}{line}"),
            Reason::Sent => format!("was sent to the pool {pool}, and no worker has begun it yet"),
            Reason::Queued => format!("is next in the queue of the pool {pool}{line}"),
        }
    }
}

/// What a person is asked about a title.
fn asked(title: &Title) -> String {
    let checks = title.report.iter().flat_map(|report| &report.checks);
    let asked = checks.filter(|check| check.verdict == Verdict::Human);
    let asked: Vec<_> = asked.map(|check| format!("{} ({})", check.name, check.code)).collect();
    let id = &title.submission.title;
    let asked = match asked.as_slice() {
        [] => "these bytes were rejected before, and the report that came with them asks nothing".to_owned(),
        asked => format!("QC asks about {}", asked.join(", ")),
    };
    format!("it waits for a person: {asked}; `reelfarm approve {id}`, or `reelfarm reject {id} --why …`")
}

fn reason(
    title: &Title,
    task: &TaskStatus,
    slots: Option<&BTreeMap<Pool, PoolSlots>>,
    now_ms: i64,
) -> Reason {
    let of_pool =
        |slots: &BTreeMap<Pool, PoolSlots>| slots.get(&task.task.spec.pool()).copied().unwrap_or_default();
    match (task.state, task.not_before_ms, slots.map(of_pool)) {
        (TaskState::Dispatched, _, Some(PoolSlots { total: 0, .. })) => Reason::NoWorker,
        (TaskState::Dispatched, _, _) => Reason::Sent,
        _ if title.held => Reason::Held,
        (_, Some(until_ms), _) if until_ms > now_ms => Reason::BackOff { until_ms },
        (_, _, Some(PoolSlots { total: 0, .. })) => Reason::NoWorker,
        (_, _, Some(PoolSlots { total, busy })) if busy >= total => Reason::NoSlot,
        _ => Reason::Queued,
    }
}

fn running(task: &TaskStatus) -> RunningTask {
    RunningTask {
        task: task.task.key,
        label: task.label.clone(),
        attempt: task.attempt,
        worker: task.worker.clone(),
        since_ms: task.started_ms,
        progress: task.progress,
    }
}

fn next(task: &TaskStatus, reason: Reason, place: Option<TaskPlace>) -> NextTask {
    NextTask { task: task.task.key, label: task.label.clone(), pool: task.task.spec.pool(), reason, place }
}

fn blocked(task: &TaskStatus, all: &[TaskStatus]) -> BlockedTask {
    let open: BTreeSet<&str> = all
        .iter()
        .filter(|need| need.state != TaskState::Done && task.needs.contains(&need.task.key))
        .map(|need| need.label.as_str())
        .collect();
    BlockedTask {
        task: task.task.key,
        label: task.label.clone(),
        waits_for: open.into_iter().map(str::to_owned).collect(),
    }
}

fn failed_attempts(tasks: &[TaskStatus]) -> Vec<FailedAttempt> {
    let mut failed: Vec<_> = tasks
        .iter()
        .flat_map(|task| task.attempts.iter().map(move |attempt| (task, attempt)))
        .filter_map(|(task, attempt)| {
            let outcome =
                attempt.outcome.filter(|end| matches!(end, AttemptEnd::Failed | AttemptEnd::Lost))?;
            Some(FailedAttempt {
                task: task.task.key,
                label: task.label.clone(),
                attempt: attempt.attempt,
                worker: attempt.worker.clone(),
                outcome,
                failure: attempt.failure.clone(),
                finished_ms: attempt.finished_ms,
            })
        })
        .collect();
    failed.sort_by_key(|attempt| std::cmp::Reverse(attempt.finished_ms));
    failed
}

#[cfg(test)]
mod tests {
    use reelfarm_model::qc::Check;
    use reelfarm_model::recipe::ToolVersions;
    use reelfarm_model::task::{FingerprintSpec, QcSpec};
    use reelfarm_model::title::{LadderText, Submission};
    use reelfarm_model::{Code, Digest, QcReport, SourceReference, Task, TaskSpec};

    use super::*;
    use crate::order::Urgency;
    use crate::status::AttemptStatus;

    const NOW: i64 = 1_000_000;

    fn source() -> SourceReference {
        SourceReference { path: "/film.mov".into(), size: 1, modified_ns: 1, etag: None }
    }

    fn title(state: TitleState) -> Title {
        Title {
            submission: Submission {
                title: "film".parse().unwrap(),
                source: source(),
                ladder: LadderText { file: "l.toml".into(), text: String::new() },
                profiles: Vec::new(),
                audio_language: None,
                rights: reelfarm_model::Rights::default(),
                subtitles: Vec::new(),
                checksums: Vec::new(),
                qc_report: None,
                protection: None,
                facts: reelfarm_model::Facts::default(),
                cue_points: Vec::new(),
                origin: "/origin".into(),
                tools: ToolVersions::default(),
            },
            generation: 1,
            state,
            source_digest: None,
            report: None,
            failure: None,
            submitted_ms: 0,
            arrived_ms: 0,
            changed_ms: 0,
            held: false,
            leftovers: false,
            expedited_ms: None,
            review: None,
        }
    }

    fn task(spec: TaskSpec, state: TaskState) -> TaskStatus {
        let task = Task::new(spec, &ToolVersions::default());
        TaskStatus {
            label: task.spec.label(),
            task,
            source: None,
            state,
            attempt: 0,
            failures: 0,
            losses: 0,
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
            attempts: Vec::new(),
        }
    }

    fn fingerprint(state: TaskState) -> TaskStatus {
        task(TaskSpec::Fingerprint(FingerprintSpec::new(source())), state)
    }

    fn slots(total: u32, busy: u32) -> BTreeMap<Pool, PoolSlots> {
        BTreeMap::from([(Pool::Light, PoolSlots { total, busy })])
    }

    #[test]
    fn what_keeps_a_ready_task_is_named() {
        let open = title(TitleState::Checking);
        let mut held = open.clone();
        held.held = true;
        let ready = fingerprint(TaskState::Ready);
        let mut delayed = ready.clone();
        delayed.not_before_ms = Some(NOW + 2500);
        let mut over = ready.clone();
        over.not_before_ms = Some(NOW - 1);
        let sent = fingerprint(TaskState::Dispatched);
        let none = BTreeMap::new();
        for (title, task, slots, reason, words) in [
            (&open, &ready, None, Reason::Queued, "next in the queue"),
            (&open, &ready, Some(&none), Reason::NoWorker, "none serves the pool light"),
            (&open, &ready, Some(&slots(2, 2)), Reason::NoSlot, "a free slot in the pool light"),
            (&open, &ready, Some(&slots(2, 1)), Reason::Queued, "next in the queue"),
            (&open, &delayed, None, Reason::BackOff { until_ms: NOW + 2500 }, "tried again in 3 s"),
            (&open, &over, None, Reason::Queued, "next in the queue"),
            (&open, &sent, Some(&slots(2, 1)), Reason::Sent, "no worker has begun it"),
            (&open, &sent, Some(&none), Reason::NoWorker, "none serves the pool light"),
            (&held, &ready, Some(&none), Reason::Held, "`reelfarm release`"),
        ] {
            let leader = LeaderView { slots: slots.cloned(), ..LeaderView::default() };
            let standing = Standing::of(title, std::slice::from_ref(task), leader, NOW);
            assert_eq!(standing.next[0].reason, reason);
            assert!(standing.summary.contains(words), "{}", standing.summary);
        }
    }

    fn order(tasks: Vec<TaskPlace>) -> TitleOrder {
        let kind = reelfarm_model::ContentKind::Library;
        TitleOrder {
            kind,
            route: "main".parse().unwrap(),
            required_by_ms: None,
            remark: None,
            foreseen: crate::Foreseen::default(),
            expedited_ms: None,
            tasks,
        }
    }

    #[test]
    fn how_many_go_before_it_is_told() {
        let ready = fingerprint(TaskState::Ready);
        for (before, words) in [
            (0, "a free slot in the pool light; it is undated, and the first of its route"),
            (1, "; it is undated, and one task of its route goes before it"),
            (12, "; it is undated, and 12 tasks of its route go before it"),
        ] {
            let place = TaskPlace { task: ready.task.key, urgency: Urgency::Undated, before };
            let elsewhere = TaskPlace { task: TaskKey(Digest::of(b"other")), ..place };
            let leader = LeaderView {
                slots: Some(slots(1, 1)),
                order: Some(order(vec![elsewhere, place])),
                ..LeaderView::default()
            };
            let standing =
                Standing::of(&title(TitleState::Checking), std::slice::from_ref(&ready), leader, NOW);
            assert_eq!(standing.next[0].place, Some(place));
            assert!(standing.summary.ends_with(words), "{}", standing.summary);
        }
    }

    #[test]
    fn a_waiting_task_names_what_it_waits_for_and_not_what_is_done() {
        let done = fingerprint(TaskState::Done);
        let mut runs = task(TaskSpec::Qc(QcSpec { source: Digest::of(b"film") }), TaskState::Running);
        runs.worker = Some(WorkerId("farm-1/7".into()));
        let mut waits = task(TaskSpec::Qc(QcSpec { source: Digest::of(b"other") }), TaskState::Waiting);
        waits.needs = BTreeSet::from([done.task.key, runs.task.key]);
        let standing =
            Standing::of(&title(TitleState::Preparing), &[done, runs, waits], LeaderView::default(), NOW);
        assert_eq!(standing.blocked[0].waits_for, ["qc"]);
        assert_eq!(standing.running[0].label, "qc");
        assert_eq!(standing.summary, "qc runs on farm-1/7");
    }

    #[test]
    fn failed_and_lost_attempts_are_told_with_their_workers_latest_first() {
        let attempt = |number, outcome, finished_ms| AttemptStatus {
            attempt: number,
            worker: Some(WorkerId(format!("host-{number}"))),
            outcome: Some(outcome),
            failure: Some(Failure::new(Code::EncodeFailed, "broken")),
            dispatched_ms: 0,
            started_ms: None,
            finished_ms: Some(finished_ms),
        };
        let mut task = fingerprint(TaskState::Failed);
        task.attempts = vec![
            attempt(1, AttemptEnd::Failed, 10),
            attempt(2, AttemptEnd::Released, 20),
            attempt(3, AttemptEnd::Lost, 30),
        ];
        let mut ended = title(TitleState::Failed);
        ended.failure = Some(Failure::new(Code::EncodeFailed, "broken"));
        let standing = Standing::of(&ended, &[task], LeaderView::default(), NOW);
        let told: Vec<_> = standing.failed_attempts.iter().map(|failed| failed.attempt).collect();
        assert_eq!(told, [3, 1]);
        assert_eq!(standing.summary, "it is failed: broken (RF-ENC-001)");
    }

    #[test]
    fn a_title_that_could_not_be_planned_says_why_while_it_waits_for_that() {
        let why = || Some(Failure::new(Code::OriginUnreachable, "the bucket does not answer"));
        let done = fingerprint(TaskState::Done);
        let leader = || LeaderView { postponed: why(), ..LeaderView::default() };
        let of = |state| Standing::of(&title(state), std::slice::from_ref(&done), leader(), NOW);
        let summary = of(TitleState::Checking).summary;
        assert!(
            summary.starts_with("it cannot be planned yet") && summary.contains("does not answer"),
            "{summary}"
        );
        assert_eq!(of(TitleState::Published).postponed, None);
        let surveyed = Standing::of(&title(TitleState::Checking), &[done], LeaderView::default(), NOW);
        assert!(surveyed.summary.contains("is there already"), "{}", surveyed.summary);
    }

    #[test]
    fn a_title_that_waits_for_a_person_says_what_is_asked_and_how_to_answer() {
        let check = |code, name: &str, verdict| Check {
            code,
            name: name.to_owned(),
            verdict,
            value: String::new(),
            limit: String::new(),
            remedy: String::new(),
            places: Vec::new(),
        };
        let mut waits = title(TitleState::Review);
        waits.held = true;
        waits.report = Some(QcReport {
            schema: 1,
            source_sha256: None,
            external: false,
            policy: "default".into(),
            ladder: "fast".into(),
            verdict: Verdict::Human,
            checks: vec![
                check(Code::QcBitrate, "bitrate", Verdict::Warn),
                check(Code::QcAudioLanguage, "language", Verdict::Human),
                check(Code::QcColour, "colour", Verdict::Human),
            ],
            conclusion: None,
        });
        let done = fingerprint(TaskState::Done);
        let summary = Standing::of(&waits, &[done], LeaderView::default(), NOW).summary;
        assert_eq!(
            summary,
            "it waits for a person: QC asks about language (RF-QC-009), colour (RF-QC-016); `reelfarm approve film`, or \
             `reelfarm reject film --why …`"
        );
    }

    #[test]
    fn a_title_that_has_ended_waits_for_nothing() {
        let leader = LeaderView { order: Some(order(Vec::new())), ..LeaderView::default() };
        let standing =
            Standing::of(&title(TitleState::Published), &[fingerprint(TaskState::Ready)], leader, NOW);
        assert_eq!(standing.order, None);
        assert!(standing.next.is_empty() && standing.running.is_empty());
        assert_eq!(standing.summary, "it is published");
    }
}
