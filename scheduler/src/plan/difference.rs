//! Why tasks of a plan would run, beside what was made of the title so far.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use reelfarm_api::PlanReason;
use reelfarm_model::task::RungSpec;
use reelfarm_model::{ArtifactKey, Task, TaskKey, TaskKind, TaskSpec, TaskState};
use reelfarm_store::TaskRecord;
use serde_json::Value;

use super::reduce::{Reduction, Step};

/// Tasks that another one builds on and that are named.
const NAMED: usize = 3;

/// For each step of a plan why it would run, if it would. `before` are the title's tasks as they stand, `available` the artifacts
/// that are in storage.
pub fn reasons(
    reduction: &Reduction,
    before: &[TaskRecord],
    available: &BTreeSet<ArtifactKey>,
) -> Vec<Option<PlanReason>> {
    let labels: BTreeMap<TaskKey, String> =
        reduction.to_run().map(|task| (task.key, task.spec.label())).collect();
    let mut known: HashMap<String, &TaskRecord> = HashMap::new();
    for record in before {
        known.entry(part(&record.task.spec)).or_insert(record);
    }
    let reason = |step: &Step| {
        step.run.then(|| reason(step, known.get(&part(&step.task.spec)).copied(), &labels, available))
    };
    reduction.steps.iter().map(reason).collect()
}

fn reason(
    step: &Step,
    old: Option<&TaskRecord>,
    labels: &BTreeMap<TaskKey, String>,
    available: &BTreeSet<ArtifactKey>,
) -> PlanReason {
    let Step { task, needs, .. } = step;
    let Some(old) = old else { return PlanReason::New };
    let made_before: BTreeSet<_> = old.task.outputs.iter().map(|output| output.key).collect();
    let gone: Vec<&str> = task
        .outputs
        .iter()
        .filter(|output| made_before.contains(&output.key))
        .map(|output| output.name.as_str())
        .collect();
    // What is made again is read back again, whatever was found when that was done before.
    let is_repeated = task.spec.kind() == TaskKind::Verify
        && task.outputs.iter().all(|output| available.contains(&output.key));
    if gone.len() == task.outputs.len() && !is_repeated {
        return match old.state {
            TaskState::Done => PlanReason::Gone,
            _ => PlanReason::NotDone,
        };
    }
    let mut changes = changes(&old.task, task);
    if changes.is_empty() {
        let tasks = needs.iter().filter_map(|need| labels.get(need)).cloned().collect::<BTreeSet<_>>();
        let mut named: Vec<String> = tasks.iter().take(NAMED).cloned().collect();
        if let Some(more) = tasks.len().checked_sub(NAMED + 1) {
            named.push(format!("{} more", more + 1));
        }
        return PlanReason::BuildsOn { tasks: named };
    }
    changes.extend(gone.iter().map(|name| format!("{name} is no longer in storage")));
    PlanReason::Changed { changes }
}

/// What of a title a task makes, in every version of it.
fn part(spec: &TaskSpec) -> String {
    match spec {
        // The last folder is the version's.
        TaskSpec::Upload(spec) => {
            let folder =
                spec.media_path.rsplit_once('/').map_or(spec.media_path.as_str(), |(folder, _)| folder);
            format!("upload {folder}")
        }
        spec => spec.label(),
    }
}

/// What of a task is other than it was, but for the artifacts that it reads.
fn changes(old: &Task, new: &Task) -> Vec<String> {
    let mut changes = Vec::new();
    for (name, version) in &new.tools.0 {
        match old.tools.0.get(name) {
            Some(before) if before != version => changes.push(format!("{name} {before} → {version}")),
            Some(_) => {}
            None => changes.push(format!("{name} {version}")),
        }
    }
    let without = old.tools.0.keys().filter(|name| !new.tools.0.contains_key(*name));
    changes.extend(without.map(|name| format!("without {name}")));
    for rung in rungs(&new.spec) {
        let name = &rung.rung.name;
        match rungs(&old.spec).into_iter().find(|before| before.rung.name == *name) {
            None => changes.push(format!("{name} is new")),
            Some(before) => {
                let pairs = settings(before).into_iter().zip(settings(rung));
                let differ = pairs.filter(|(before, now)| before != now);
                changes.extend(
                    differ.map(|((setting, before), (_, now))| format!("{name}: {setting} {before} → {now}")),
                );
            }
        }
    }
    let (before, now) = (shape(&old.spec), shape(&new.spec));
    for (name, value) in &now {
        match before.get(name) {
            Some(before) if before == value => {}
            Some(before) if is_short(before) && is_short(value) => {
                changes.push(format!("{name} {before} → {value}"));
            }
            _ => changes.push(format!("other {name}")),
        }
    }
    let without = before.keys().filter(|name| !now.contains_key(*name));
    changes.extend(without.map(|name| format!("without {name}")));
    changes
}

fn rungs(spec: &TaskSpec) -> Vec<&RungSpec> {
    match spec {
        TaskSpec::EncodeVideo(spec) => spec.rungs.iter().collect(),
        TaskSpec::AssembleVideo(spec) => vec![&spec.rung],
        TaskSpec::Trial(spec) => vec![&spec.rung],
        _ => Vec::new(),
    }
}

/// What of a rung shapes its pictures.
fn settings(spec: &RungSpec) -> [(&'static str, String); 9] {
    let rung = &spec.rung;
    [
        ("codec", rung.codec.name().to_owned()),
        ("width", spec.width.to_string()),
        ("height", spec.height.to_string()),
        ("gop_frames", spec.gop_frames.to_string()),
        ("crf", rung.crf.to_string()),
        ("maxrate_kbps", rung.maxrate_kbps.to_string()),
        ("bufsize_kbps", rung.bufsize_kbps.to_string()),
        ("preset", rung.preset.clone()),
        ("profile", rung.profile.clone()),
    ]
}

/// The fields of a specification, but for its rungs, and without what names artifacts and versions.
fn shape(spec: &TaskSpec) -> BTreeMap<String, Value> {
    let Ok(Value::Object(fields)) = serde_json::to_value(spec) else { return BTreeMap::new() };
    let others = fields.into_iter().filter(|(name, _)| !matches!(name.as_str(), "kind" | "rung" | "rungs"));
    others.map(|(name, value)| (name, without_names(value))).collect()
}

fn without_names(value: Value) -> Value {
    match value {
        Value::String(text) if is_name(&text) => Value::Null,
        Value::Array(values) => values.into_iter().map(without_names).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name, without_names(value))).collect()
        }
        other => other,
    }
}

/// Whether a text is a digest, or a path of which a part is one.
fn is_name(text: &str) -> bool {
    text.split('/').any(|part| part.len() >= 12 && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn is_short(value: &Value) -> bool {
    matches!(value, Value::Bool(_) | Value::Number(_) | Value::String(_))
}
