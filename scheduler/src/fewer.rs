//! What would be left of a title if a few of its profiles went first: one for HLS and one for DASH, and of them the lower
//! rungs, as long as no rung is being encoded. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use reelfarm_model::profile::Container;
use reelfarm_model::task::VerifySpec;
use reelfarm_model::{Pool, Task, TaskKey, TaskSpec, TaskState};
use reelfarm_store::TaskRecord;

/// A part of a title that could go first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fewer {
    /// Its profiles.
    pub(crate) profiles: Vec<String>,
    /// The largest picture, by its height in lines, where not all rungs would go first.
    pub(crate) up_to: Option<u32>,
    /// The critical path to its publication, in milliseconds.
    pub(crate) path_ms: i64,
    /// What would have to be done for it, by pool.
    pub(crate) work_ms: BTreeMap<Pool, i64>,
}

impl Fewer {
    /// What could go first of a title with these tasks. `None` where it is not planned, something goes first already, or all
    /// that it has would.
    pub(crate) fn of(records: &[TaskRecord], cost_ms: impl Fn(&Task) -> i64) -> Option<Self> {
        let specs = || records.iter().map(|record| &record.task.spec);
        if specs().any(TaskSpec::puts_first_online) {
            return None;
        }
        let verifications = specs().filter_map(|spec| match spec {
            TaskSpec::Verify(spec) => Some(spec),
            _ => None,
        });
        let chosen = choose(verifications);
        let profiles: Vec<String> = chosen.iter().map(|spec| spec.profile.id.clone()).collect();
        let media: BTreeSet<_> = chosen.iter().map(|spec| spec.media).collect();
        let ends = records.iter().filter(|record| match &record.task.spec {
            TaskSpec::Verify(spec) => profiles.contains(&spec.profile.id),
            TaskSpec::Upload(spec) => media.contains(&spec.media),
            _ => false,
        });
        let ends: Vec<&TaskRecord> = ends.collect();
        if ends.is_empty() {
            return None;
        }
        let all: usize = specs().filter(|spec| matches!(spec, TaskSpec::Verify(_))).count();
        let up_to = lower_rungs(records);
        if all <= profiles.len() && up_to.is_none() {
            return None;
        }
        let mut way = Way {
            tasks: records.iter().map(|record| (record.task.key, record)).collect(),
            // An upload waits for those alone that are published with it.
            verified: ends
                .iter()
                .filter(|record| matches!(record.task.spec, TaskSpec::Verify(_)))
                .map(|record| record.task.key)
                .collect(),
            up_to,
            cost_ms,
            paths: HashMap::new(),
            work_ms: BTreeMap::new(),
        };
        let path_ms = ends.iter().map(|record| way.path_to(record)).max().unwrap_or(0);
        let publication = records.iter().find(|record| matches!(record.task.spec, TaskSpec::Publish(_)))?;
        let publishing_ms = (way.cost_ms)(&publication.task);
        *way.work_ms.entry(publication.task.spec.pool()).or_default() += publishing_ms;
        Some(Self { profiles, up_to, path_ms: path_ms + publishing_ms, work_ms: way.work_ms })
    }
}

/// One profile for HLS and one for DASH: in clear where there is such, with the shorter segments, and of one media set where
/// that can be.
fn choose<'a>(verifications: impl Iterator<Item = &'a VerifySpec>) -> Vec<&'a VerifySpec> {
    let all: Vec<&VerifySpec> = verifications.collect();
    let best = |is_wanted: fn(Container) -> bool| {
        all.iter().filter(|spec| is_wanted(spec.profile.container)).min_by_key(|spec| {
            let profile = &spec.profile;
            (
                profile.scheme.is_some(),
                profile.segment_seconds,
                profile.container == Container::HlsTs,
                &profile.id,
            )
        })
    };
    let hls = best(|container| matches!(container, Container::HlsCmaf | Container::HlsTs));
    let dash = best(|container| container == Container::Dash);
    hls.into_iter().chain(dash).copied().collect()
}

/// The largest picture of the lower half of the rungs, by its height in lines, where no encode has begun.
fn lower_rungs(records: &[TaskRecord]) -> Option<u32> {
    let encodes = records.iter().filter_map(|record| match &record.task.spec {
        TaskSpec::EncodeVideo(spec) => Some((record, spec)),
        _ => None,
    });
    let mut heights = BTreeSet::new();
    for (record, spec) in encodes {
        if record.attempt > 0 || record.state == TaskState::Done {
            return None;
        }
        heights.extend(spec.rungs.iter().map(|rung| rung.height));
    }
    let heights: Vec<u32> = heights.into_iter().collect();
    heights.get((heights.len() / 2).checked_sub(1)?).copied()
}

/// The encode of the rungs up to a height alone.
fn narrowed(task: &Task, up_to: u32) -> Task {
    let TaskSpec::EncodeVideo(spec) = &task.spec else { return task.clone() };
    let names: BTreeSet<&str> =
        spec.rungs.iter().filter(|rung| rung.height <= up_to).map(|rung| rung.rung.name.as_str()).collect();
    Task::new(task.spec.narrowed(|name| names.contains(name)), &task.tools)
}

/// The way to what would go first.
struct Way<'a, C> {
    tasks: HashMap<TaskKey, &'a TaskRecord>,
    verified: BTreeSet<TaskKey>,
    /// The largest picture that would do.
    up_to: Option<u32>,
    cost_ms: C,
    paths: HashMap<TaskKey, i64>,
    work_ms: BTreeMap<Pool, i64>,
}

impl<C: Fn(&Task) -> i64> Way<'_, C> {
    /// The critical path until this task is done, in milliseconds; adds the work on the way.
    fn path_to(&mut self, record: &TaskRecord) -> i64 {
        let key = record.task.key;
        if let Some(path_ms) = self.paths.get(&key) {
            return *path_ms;
        }
        if record.state == TaskState::Done {
            self.paths.insert(key, 0);
            return 0;
        }
        let cost_ms = match (self.up_to, &record.task.spec) {
            (Some(up_to), TaskSpec::EncodeVideo(_)) => (self.cost_ms)(&narrowed(&record.task, up_to)),
            _ => (self.cost_ms)(&record.task),
        };
        *self.work_ms.entry(record.task.spec.pool()).or_default() += cost_ms;
        let mut longest_ms = 0;
        for need in &record.needs {
            let Some(needed) = self.tasks.get(need).copied() else { continue };
            let is_verification = matches!(needed.task.spec, TaskSpec::Verify(_));
            if !is_verification || self.verified.contains(need) {
                longest_ms = longest_ms.max(self.path_to(needed));
            }
        }
        self.paths.insert(key, longest_ms + cost_ms);
        longest_ms + cost_ms
    }
}
