//! How long tasks are expected to take: what the farm's own history says of what [`cost`](crate::cost) says.

use std::borrow::Cow;

use reelfarm_model::profile::MediaFormat;
use reelfarm_model::task::{PackageSpec, RungSpec};
use reelfarm_model::{SourceReference, Task, TaskSpec, WorkerId};
use reelfarm_priority::estimate::{Estimate, Estimator, Run};
use reelfarm_store::FinishedRun;

use crate::cost::cost_ms;
use crate::service::{Scheduler, SchedulerError};

/// Runs that are read at the start: more than the estimator remembers of any kind of task.
const HISTORY: usize = 2_000;

/// How long a task is expected to take anywhere, of a title with this source.
pub fn expected(estimator: &Estimator, task: &Task, source: Option<&SourceReference>) -> Estimate {
    estimator.estimate(task.spec.kind(), &class(task), None, cost_ms(task, source))
}

/// Learns how long a task took.
pub fn learn(
    estimator: &mut Estimator,
    task: &Task,
    source: Option<&SourceReference>,
    worker: &WorkerId,
    took_ms: i64,
) {
    let (kind, class) = (task.spec.kind(), class(task));
    let run = Run { kind, class: &class, host: host(worker), model_ms: cost_ms(task, source), took_ms };
    estimator.learn(&run);
}

/// Tasks of one class take times that are alike where their specifications say so.
fn class(task: &Task) -> Cow<'static, str> {
    let packaging = |spec: &PackageSpec| {
        let format = match spec.format {
            MediaFormat::Cmaf => "cmaf",
            MediaFormat::SingleFile => "single-file",
            MediaFormat::Ts => "ts",
            MediaFormat::Smooth => "smooth",
            MediaFormat::Progressive => "progressive",
        };
        let scheme = spec.encryption.as_ref().map_or("clear", |encryption| encryption.scheme.as_str());
        // What is made of another media set is copied, and no packager runs.
        format!("{format} {scheme}{}", if spec.base.is_some() { " derived" } else { "" })
    };
    match &task.spec {
        TaskSpec::EncodeVideo(spec) => {
            let preset = spec.rungs.first().map_or("", |rung| rung.rung.preset.as_str());
            let has_hevc = spec.rungs.iter().any(|rung| !rung.rung.codec.is_h264());
            format!("{} {preset}{}", spec.video.height, if has_hevc { " hevc" } else { "" }).into()
        }
        TaskSpec::Trial(spec) => {
            let RungSpec { height, rung, .. } = &spec.rung;
            format!("{} {height} {} {}", spec.video.height, rung.preset, rung.codec.name()).into()
        }
        TaskSpec::Package(spec) => packaging(spec).into(),
        TaskSpec::Verify(spec) => packaging(&spec.package).into(),
        // All files of a media set are copied; how many and how large they are, its kind says best.
        TaskSpec::Upload(spec) => spec.media_path.split('/').nth(1).unwrap_or_default().to_owned().into(),
        _ => "".into(),
    }
}

/// The host of a worker: its name without the numbers of its process.
fn host(worker: &WorkerId) -> &str {
    let without = |name: &'_ str| -> Option<usize> {
        let (host, number) = name.rsplit_once('-')?;
        (!host.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())).then_some(host.len())
    };
    let name = worker.0.as_str();
    let name = without(name).map_or(name, |end| &name[..end]);
    without(name).map_or(name, |end| &name[..end])
}

impl Scheduler {
    /// Learns from what the store knows of earlier runs, the oldest first.
    pub(crate) async fn read_history(&mut self) -> Result<(), SchedulerError> {
        for run in self.store.finished_runs(HISTORY).await?.iter().rev() {
            let FinishedRun { task, source, worker, took_ms, .. } = run;
            learn(&mut self.estimates, task, source.as_ref(), worker, *took_ms);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_what_is_left_of_a_workers_name_without_its_numbers() {
        for (name, expected) in [
            ("farm-1-4711-1732222222222", "farm-1"),
            ("host.example-9-1", "host.example"),
            ("embedded-4711", "embedded"),
            ("worker", "worker"),
            ("-7", "-7"),
        ] {
            assert_eq!(host(&WorkerId(name.to_owned())), expected);
        }
    }
}
