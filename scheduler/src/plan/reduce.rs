//! From the full graph and what already exists to the tasks that must run.
//!
//! Works backwards from the goal, as a build system does: a task runs when something that runs needs its output and
//! that output is not there. What was made and is no longer needed is left alone, even where its files are gone.

use std::collections::{BTreeMap, BTreeSet};

use reelfarm_model::recipe::ToolVersions;
use reelfarm_model::{ArtifactKey, Task, TaskKey, TaskSpec};

use super::graph::{Graph, Node};

/// What is known of the world when a plan is reduced.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Tasks that the store holds as done.
    pub done: BTreeSet<TaskKey>,
    /// Artifacts that exist, whole.
    pub available: BTreeSet<ArtifactKey>,
    /// Receipts whose files are still at the origin.
    pub at_origin: BTreeSet<ArtifactKey>,
    /// Whether the origin holds exactly what the goal publishes.
    pub published: bool,
}

/// What a reduction decided about one task.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The task; an encode is narrowed to the rungs that are missing.
    pub task: Task,
    /// What must be done first.
    pub needs: BTreeSet<TaskKey>,
    /// Whether it must run. The others are done and stay so.
    pub run: bool,
}

/// The tasks that a title consists of now.
#[derive(Clone, Debug, PartialEq)]
pub struct Reduction {
    /// The tasks, each after all that it needs.
    pub steps: Vec<Step>,
}

impl Reduction {
    /// Reduces `graph` by what exists.
    pub fn of(graph: &Graph, facts: &Facts, tools: &ToolVersions) -> Self {
        let mut wanted_artifacts: BTreeSet<ArtifactKey> = BTreeSet::new();
        let mut wanted_tasks: BTreeSet<TaskKey> = BTreeSet::new();
        let mut decided: Vec<(Option<TaskKey>, Step)> = Vec::new();
        for (index, node) in graph.nodes.iter().enumerate().rev() {
            let goal = index + 1 == graph.nodes.len();
            let run =
                if goal { !facts.published } else { must_run(node, facts, &wanted_artifacts, &wanted_tasks) };
            if !run {
                if facts.done.contains(&node.task.key) {
                    let step = Step { task: node.task.clone(), needs: node.needs.clone(), run: false };
                    decided.push((None, step));
                }
                continue;
            }
            let task = narrowed(node, facts, tools);
            wanted_artifacts.extend(task.spec.inputs());
            wanted_tasks.extend(node.needs.iter().copied());
            let replaced = (task.key != node.task.key).then_some(node.task.key);
            decided.push((replaced, Step { task, needs: node.needs.clone(), run: true }));
        }
        decided.reverse();
        let renamed: BTreeMap<TaskKey, TaskKey> =
            decided.iter().filter_map(|(replaced, step)| replaced.map(|old| (old, step.task.key))).collect();
        let present: BTreeSet<TaskKey> = decided.iter().map(|(_, step)| step.task.key).collect();
        let steps = decided
            .into_iter()
            .map(|(_, mut step)| {
                step.needs = step
                    .needs
                    .iter()
                    .map(|key| renamed.get(key).copied().unwrap_or(*key))
                    .filter(|key| present.contains(key))
                    .collect();
                step
            })
            .collect();
        Self { steps }
    }

    /// The tasks that must run.
    pub fn to_run(&self) -> impl Iterator<Item = &Task> {
        self.steps.iter().filter(|step| step.run).map(|step| &step.task)
    }
}

fn must_run(
    node: &Node,
    facts: &Facts,
    wanted_artifacts: &BTreeSet<ArtifactKey>,
    wanted_tasks: &BTreeSet<TaskKey>,
) -> bool {
    let task = &node.task;
    let there = |key: &ArtifactKey| {
        facts.available.contains(key)
            && (!matches!(task.spec, TaskSpec::Upload(_)) || facts.at_origin.contains(key))
    };
    if task.outputs.iter().any(|output| wanted_artifacts.contains(&output.key) && !there(&output.key)) {
        return true;
    }
    // Wanted for its order alone: it is enough that it was done once, or that its outputs are there.
    wanted_tasks.contains(&task.key)
        && !facts.done.contains(&task.key)
        && !task.outputs.iter().all(|output| there(&output.key))
}

/// An encode of the renditions that are missing; each is an artifact of its own, so the others need not be made again.
fn narrowed(node: &Node, facts: &Facts, tools: &ToolVersions) -> Task {
    let missing: BTreeSet<&str> = node
        .task
        .outputs
        .iter()
        .filter(|output| !facts.available.contains(&output.key))
        .map(|output| output.name.as_str())
        .collect();
    if missing.is_empty() {
        return node.task.clone();
    }
    match &node.task.spec {
        TaskSpec::EncodeVideo(spec) => {
            let mut spec = spec.clone();
            spec.rungs.retain(|rung| missing.contains(rung.rung.name.as_str()));
            Task::new(TaskSpec::EncodeVideo(spec), tools)
        }
        TaskSpec::EncodeAudio(spec) => {
            let mut spec = spec.clone();
            spec.renditions.retain(|rendition| missing.contains(rendition.id.as_str()));
            Task::new(TaskSpec::EncodeAudio(spec), tools)
        }
        _ => node.task.clone(),
    }
}
