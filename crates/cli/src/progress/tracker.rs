//! How far a title is. Pure: events in, figures out.

use std::collections::HashMap;
use std::time::Duration;

use reelfarm_model::{TaskKey, TaskKind, TitleState};
use reelfarm_scheduler::event::{PlannedWork, TaskResult};

/// One title's progress.
#[derive(Debug, Default)]
pub struct Tracker {
    state: Option<TitleState>,
    work: HashMap<TaskKey, Work>,
    /// Tasks under way, latest last, with their labels.
    running: Vec<(TaskKey, String)>,
    /// Share of the fingerprint or measurement that is done, before there is a plan.
    checked: f64,
    frames_per_second: f64,
    speed: f64,
    planned: bool,
    /// Cost that had been done before the plan began to run.
    done_before: f64,
}

#[derive(Debug)]
struct Work {
    cost: f64,
    fraction: f64,
    kind: TaskKind,
}

impl Tracker {
    /// The title reached a state.
    pub fn state(&mut self, state: TitleState) {
        self.state = Some(state);
    }

    /// The title's tasks are known.
    pub fn plan(&mut self, tasks: &[PlannedWork]) {
        self.work = tasks
            .iter()
            .map(|work| {
                let fraction = if work.done { 1.0 } else { 0.0 };
                (work.task, Work { cost: work.cost, fraction, kind: work.kind })
            })
            .collect();
        self.planned = true;
        self.done_before = self.done();
    }

    /// An attempt began.
    pub fn started(&mut self, task: TaskKey, label: &str) {
        self.running.retain(|(running, _)| *running != task);
        self.running.push((task, label.to_owned()));
        self.set(task, 0.0);
    }

    /// An attempt went on.
    pub fn progress(&mut self, task: TaskKey, progress: reelfarm_model::Progress) {
        self.set(task, progress.fraction);
        if progress.frames_per_second > 0.0 {
            self.frames_per_second = progress.frames_per_second;
            self.speed = progress.speed;
        }
    }

    /// An attempt ended.
    pub fn finished(&mut self, task: TaskKey, result: &TaskResult) {
        self.running.retain(|(running, _)| *running != task);
        self.set(task, if matches!(result, TaskResult::Done) { 1.0 } else { 0.0 });
        if self.running.is_empty() {
            (self.frames_per_second, self.speed) = (0.0, 0.0);
        }
    }

    fn set(&mut self, task: TaskKey, fraction: f64) {
        match self.work.get_mut(&task) {
            Some(work) => work.fraction = fraction,
            None => self.checked = fraction,
        }
    }

    fn done(&self) -> f64 {
        self.work.values().map(|work| work.cost * work.fraction).sum()
    }

    fn total(&self) -> f64 {
        self.work.values().map(|work| work.cost).sum()
    }

    /// Share of the present stage that is done, from 0 to 1: of checking before there is a plan, then of the plan.
    pub fn fraction(&self) -> f64 {
        if !self.planned {
            return self.checked;
        }
        let total = self.total();
        if total > 0.0 { (self.done() / total).clamp(0.0, 1.0) } else { 1.0 }
    }

    /// What is being done, in a few words.
    pub fn stage(&self) -> String {
        match self.state {
            None => "waiting".to_owned(),
            Some(TitleState::Checking) => "checking".to_owned(),
            Some(TitleState::Preparing) => self.running_stage(),
            Some(state) => state.as_str().to_owned(),
        }
    }

    /// The earliest step that is still under way: the one that everything else waits for.
    fn running_stage(&self) -> String {
        let kinds = self.running.iter().filter_map(|(task, _)| self.work.get(task)).map(|work| work.kind);
        match kinds.min_by_key(|kind| *kind as u8) {
            None => "waiting".to_owned(),
            Some(TaskKind::EncodeVideo | TaskKind::AssembleVideo | TaskKind::EncodeAudio) => {
                "encoding".to_owned()
            }
            Some(TaskKind::Trial) => "trying".to_owned(),
            Some(TaskKind::Package) => "packaging".to_owned(),
            Some(TaskKind::Manifest | TaskKind::Verify) => "verifying".to_owned(),
            Some(TaskKind::Upload) => "uploading".to_owned(),
            Some(TaskKind::Publish) => "publishing".to_owned(),
            Some(kind) => kind.as_str().to_owned(),
        }
    }

    /// Frames a second, `None` while none are counted.
    pub fn frames_per_second(&self) -> Option<f64> {
        (self.frames_per_second > 0.0).then_some(self.frames_per_second)
    }

    /// Seconds of the title done for each second of work, `None` while none are counted.
    pub fn speed(&self) -> Option<f64> {
        (self.speed > 0.0).then_some(self.speed)
    }

    /// The time that the plan still needs if it goes on as in `elapsed`, the time since it began to run.
    pub fn remaining(&self, elapsed: Duration) -> Option<Duration> {
        let (done, total) = (self.done() - self.done_before, self.total());
        let left = total - self.done();
        let share_known = done > 0.01 * total && elapsed > Duration::from_secs(1);
        (self.planned && share_known).then(|| elapsed.mul_f64((left / done).clamp(0.0, 1e6)))
    }

    /// Whether the plan is known.
    pub const fn is_planned(&self) -> bool {
        self.planned
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reelfarm_model::{Digest, Progress};

    fn key(name: &str) -> TaskKey {
        TaskKey(Digest::of(name.as_bytes()))
    }

    fn work(name: &str, kind: TaskKind, cost: f64) -> PlannedWork {
        PlannedWork { task: key(name), kind, cost, done: false }
    }

    #[test]
    fn a_plan_is_weighed_by_cost() {
        let mut tracker = Tracker::default();
        tracker.state(TitleState::Checking);
        tracker.progress(key("qc"), Progress { fraction: 0.5, ..Progress::default() });
        assert!((tracker.fraction() - 0.5).abs() < 1e-9);
        tracker.plan(&[work("video", TaskKind::EncodeVideo, 90.0), work("package", TaskKind::Package, 10.0)]);
        tracker.state(TitleState::Preparing);
        tracker.started(key("video"), "encode-video");
        tracker.progress(key("video"), Progress { fraction: 0.5, frames_per_second: 80.0, speed: 3.2 });
        assert_eq!(tracker.stage(), "encoding");
        assert!((tracker.fraction() - 0.45).abs() < 1e-9);
        let remaining = tracker.remaining(Duration::from_secs(45)).unwrap();
        assert!((remaining.as_secs_f64() - 55.0).abs() < 0.1, "{remaining:?}");
        tracker.finished(key("video"), &TaskResult::Done);
        assert!((tracker.fraction() - 0.9).abs() < 1e-9);
    }

    #[test]
    fn a_failed_attempt_gives_its_share_back() {
        let mut tracker = Tracker::default();
        tracker.plan(&[work("video", TaskKind::EncodeVideo, 1.0)]);
        tracker.started(key("video"), "encode-video");
        tracker.progress(key("video"), Progress { fraction: 0.8, ..Progress::default() });
        tracker.finished(key("video"), &TaskResult::Released);
        assert!(tracker.fraction() < 1e-9);
    }
}
