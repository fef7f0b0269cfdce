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
    /// Whether it holds exactly what goes first.
    pub first_published: bool,
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
        // What is made again is read back again, and reading back may need more than was missing so far.
        let mut forced = BTreeSet::new();
        loop {
            let running = running(graph, facts, &forced);
            let stale = graph.nodes.iter().filter(|node| {
                matches!(node.task.spec, TaskSpec::Verify(_))
                    && !running.contains(&node.task.key)
                    && node.needs.iter().any(|need| running.contains(need))
            });
            let before = forced.len();
            forced.extend(stale.map(|node| node.task.key));
            if forced.len() == before {
                return Self::with(graph, facts, tools, &running);
            }
        }
    }

    fn with(graph: &Graph, facts: &Facts, tools: &ToolVersions, running: &BTreeSet<TaskKey>) -> Self {
        let unjoined = unjoined(graph, facts);
        let mut renamed: BTreeMap<TaskKey, TaskKey> = BTreeMap::new();
        let mut steps: Vec<Step> = Vec::new();
        for node in &graph.nodes {
            let run = running.contains(&node.task.key);
            if !run && !facts.done.contains(&node.task.key) {
                continue;
            }
            let task = if run { narrowed(node, facts, &unjoined, tools) } else { node.task.clone() };
            // A need that is neither done nor run is one whose outputs are there all the same.
            let needs = node.needs.iter().filter_map(|need| renamed.get(need).copied()).collect();
            renamed.insert(node.task.key, task.key);
            steps.push(Step { task, needs, run });
        }
        Self { steps }
    }

    /// What is left of the title's critical path from the start of each task on, where a task takes so long; what is done
    /// takes no time.
    pub fn tails(&self, cost_ms: impl Fn(&Task) -> i64) -> BTreeMap<TaskKey, i64> {
        self.tails_to(self.steps.last(), cost_ms)
    }

    /// The same until what goes first is online, of the tasks that this needs.
    pub fn first_tails(&self, cost_ms: impl Fn(&Task) -> i64) -> BTreeMap<TaskKey, i64> {
        self.tails_to(self.steps.iter().find(|step| step.task.spec.puts_first_online()), cost_ms)
    }

    fn tails_to(&self, end: Option<&Step>, cost_ms: impl Fn(&Task) -> i64) -> BTreeMap<TaskKey, i64> {
        let Some(end) = end else { return BTreeMap::new() };
        let mut tails = BTreeMap::from([(end.task.key, 0)]);
        for step in self.steps.iter().rev() {
            // Those that need it come after it, and have left here the longest of their tails.
            let Some(after_ms) = tails.get_mut(&step.task.key) else { continue };
            *after_ms += if step.run { cost_ms(&step.task) } else { 0 };
            let tail_ms = *after_ms;
            for need in &step.needs {
                let of_need = tails.entry(*need).or_default();
                *of_need = tail_ms.max(*of_need);
            }
        }
        tails
    }

    /// The tasks that must run.
    pub fn to_run(&self) -> impl Iterator<Item = &Task> {
        self.steps.iter().filter(|step| step.run).map(|step| &step.task)
    }
}

/// The tasks that must run, `forced` ones among them, by the keys that they have in the graph.
fn running(graph: &Graph, facts: &Facts, forced: &BTreeSet<TaskKey>) -> BTreeSet<TaskKey> {
    let mut wanted_artifacts: BTreeSet<ArtifactKey> = BTreeSet::new();
    let mut wanted_tasks: BTreeSet<TaskKey> = BTreeSet::new();
    let mut running = BTreeSet::new();
    for (index, node) in graph.nodes.iter().enumerate().rev() {
        let goal = index + 1 == graph.nodes.len();
        let run = if goal {
            !facts.published
        } else if node.task.spec.puts_first_online() {
            !facts.published && !facts.first_published
        } else {
            forced.contains(&node.task.key) || must_run(node, facts, &wanted_artifacts, &wanted_tasks)
        };
        if run {
            wanted_artifacts.extend(node.task.spec.inputs());
            wanted_tasks.extend(node.needs.iter().copied());
            running.insert(node.task.key);
        }
    }
    running
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
    let mut read = task.outputs.iter().filter(|output| wanted_artifacts.contains(&output.key)).peekable();
    if read.peek().is_some() {
        return read.any(|output| !there(&output.key));
    }
    // Wanted for its order alone: it is enough that it was done once, or that its outputs are there.
    wanted_tasks.contains(&task.key)
        && !facts.done.contains(&task.key)
        && !task.outputs.iter().all(|output| there(&output.key))
}

/// The chunks of renditions that are not there.
fn unjoined(graph: &Graph, facts: &Facts) -> BTreeSet<ArtifactKey> {
    let is_there = |node: &Node| node.task.outputs.iter().all(|output| facts.available.contains(&output.key));
    let joins = graph.nodes.iter().filter(|node| matches!(node.task.spec, TaskSpec::AssembleVideo(_)));
    joins.filter(|node| !is_there(node)).flat_map(|node| node.task.spec.inputs()).collect()
}

/// An encode of the renditions that are missing; each is an artifact of its own, so the others need not be made again. Nor are
/// chunks of renditions that are there.
fn narrowed(node: &Node, facts: &Facts, unjoined: &BTreeSet<ArtifactKey>, tools: &ToolVersions) -> Task {
    let is_of_chunk = matches!(&node.task.spec, TaskSpec::EncodeVideo(spec) if spec.chunk.is_some());
    let missing: BTreeSet<&str> = node
        .task
        .outputs
        .iter()
        .filter(|output| !facts.available.contains(&output.key))
        .filter(|output| !is_of_chunk || unjoined.contains(&output.key))
        .map(|output| output.name.as_str())
        .collect();
    if missing.is_empty() {
        return node.task.clone();
    }
    Task::new(node.task.spec.narrowed(|output| missing.contains(output)), tools)
}
