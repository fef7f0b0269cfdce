//! `reelfarm plan`: what would be done for a title if it were submitted now, and why.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use clap::Args;
use reelfarm_api::{PlanPreview, PlanReason, PlanRequest};
use reelfarm_model::title::Submission;
use reelfarm_model::{Code, Failure, Pool, Title, TitleId};
use reelfarm_telemetry::metrics::Metrics;

use super::watch_farm::unknown;
use super::{fitted, submit};
use crate::arguments::{Json, State};
use crate::client::FarmArguments;
use crate::config::Project;
use crate::exit::Exit;
use crate::farm::{DATABASE_FILE, Farm};
use crate::printer::Printer;

/// `reelfarm plan`.
#[derive(Debug, Args)]
pub struct Plan {
    /// The title.
    #[arg(value_name = "TITLE")]
    pub title: String,
    /// With this ladder: a name, or the path of a ladder file here [default: the one that it was submitted with].
    #[arg(long, value_name = "NAME")]
    pub ladder: Option<String>,
    /// In these profiles: `all`, or ids and patterns such as `dash-*` [default: those that it was submitted with].
    #[arg(long, value_name = "all|ID,…", value_delimiter = ',')]
    pub profiles: Option<Vec<String>>,
    /// With the content keys that it would get now, where those are others than it has.
    #[arg(long)]
    pub new_keys: bool,
    /// Content keys, for a title that gets its keys from such a file; without a farm behind the call.
    #[arg(long, env = "REELFARM_KEYS_FILE", value_name = "FILE")]
    pub keys: Option<PathBuf>,
    /// Show the tasks that would run alone, each with what is other than it was.
    #[arg(long)]
    pub diff: bool,
    #[command(flatten)]
    pub state: State,
    #[command(flatten)]
    pub farm: FarmArguments,
    #[command(flatten)]
    pub json: Json,
}

/// Shows the plan.
pub async fn run(verb: Plan, printer: &Printer) -> Result<Exit, Failure> {
    let project = Project::load()?;
    let preview = match verb.farm.connect(&project)? {
        Some(client) => {
            let request = PlanRequest {
                ladder: verb.ladder.as_deref().map(submit::ladder).transpose()?,
                profiles: verb.profiles.clone(),
                new_keys: verb.new_keys,
            };
            client.post(&["titles", &verb.title, "plan"], &request).await?
        }
        None => {
            let farm = idle_farm(&project, &verb.state, verb.keys.as_deref()).await?;
            let farm = farm.ok_or_else(|| unknown(&verb.title))?;
            let preview = here(&verb, &project, &farm).await;
            farm.stop().await;
            preview?
        }
    };
    if verb.json.json {
        printer.json(&preview);
    } else {
        printer.data(text(&preview, verb.diff).trim_end());
    }
    Ok(Exit::Done)
}

/// The farm of a state folder without slots: it plans, and nothing runs. `None` where nothing has been run there.
pub async fn idle_farm(
    project: &Project,
    state: &State,
    keys: Option<&Path>,
) -> Result<Option<Farm>, Failure> {
    let state = project.state(state.state.as_ref());
    if !fs_err::tokio::try_exists(state.join(DATABASE_FILE)).await.unwrap_or(false) {
        return Ok(None);
    }
    let metrics = Metrics::new(env!("CARGO_PKG_VERSION"))
        .map_err(|error| Failure::new(Code::Internal, error.to_string()))?;
    let profiles = super::profile_list(project)?;
    Farm::start(&state, project, profiles, keys, HashMap::new(), metrics).await.map(Some)
}

async fn here(verb: &Plan, project: &Project, farm: &Farm) -> Result<PlanPreview, Failure> {
    let id: TitleId = verb.title.parse().map_err(|_| unknown(&verb.title))?;
    let Title { submission, .. } = farm.store.title(&id).await?.ok_or_else(|| unknown(&verb.title))?;
    let mut submission = Submission { tools: farm.tools.clone(), ..submission };
    if verb.ladder.is_some() {
        submission.ladder = project.ladder(verb.ladder.as_deref())?.0;
    }
    if let Some(patterns) = &verb.profiles {
        let selected = super::profile_list(project)?
            .select(patterns)
            .map_err(|error| Failure::new(Code::UnknownName, error.to_string()))?;
        let allowed = selected.into_iter().filter(|profile| submission.rights.allow(profile));
        submission.profiles = allowed.map(|profile| profile.id).collect();
        if submission.profiles.is_empty() {
            let message = format!(
                "none of these profiles is one that the rights rules of {id} allow; `reelfarm status {id}` shows the rules, \
                 `reelfarm profiles` what there is"
            );
            return Err(Failure::new(Code::RightsLeaveNothing, message));
        }
    }
    if verb.new_keys && submission.protection.is_some() {
        let before = farm.store.standing(&id).await?;
        submission.protection = Some(farm.keys.protection(&id, before.protection(), true)?);
    }
    farm.handle.preview(submission).await
}

fn text(preview: &PlanPreview, only_what_runs: bool) -> String {
    let all = summary(preview.to_run().count(), preview.tasks.len(), &preview.work_ms);
    let mut text = format!("{}  ladder {}: {all}\n", preview.title, preview.ladder);
    for line in preview.fitted.iter().flat_map(fitted::lines) {
        text.push_str(&format!("    fitted  {line}\n"));
    }
    if preview.untried {
        text.push_str(&format!("    {UNTRIED}\n"));
    }
    for task in &preview.tasks {
        let line = match &task.runs {
            Some(reason) => format!("{:<32} {:>8}  {}", task.label, time(task.expected_ms), why(reason)),
            None if only_what_runs => continue,
            None => format!("{:<32} {:>8}  is there", task.label, ""),
        };
        text.push_str(&format!("    {line}\n"));
    }
    text
}

/// What is said of a plan whose ladder would first be fitted to the film.
pub const UNTRIED: &str =
    "the ladder would be fitted to the film first; the encodes told here are those of the ladder as it is";

/// How much would run: so many of all tasks, which take so long.
pub fn summary(count: usize, of: usize, work_ms: &BTreeMap<Pool, i64>) -> String {
    if count == 0 {
        return format!("nothing would run, all of its {of} tasks are done");
    }
    let work: Vec<_> =
        work_ms.iter().map(|(pool, ms)| format!("{} of {}", time(*ms), pool.as_str())).collect();
    format!("{count} of {of} tasks would run: {}", work.join(", "))
}

fn why(reason: &PlanReason) -> String {
    match reason {
        PlanReason::New => "the title had none so far".to_owned(),
        PlanReason::NotDone => "not done so far".to_owned(),
        PlanReason::Gone => "what it made is gone".to_owned(),
        PlanReason::Changed { changes } => changes.join(", "),
        PlanReason::BuildsOn { tasks } if tasks.is_empty() => "what it builds on is another".to_owned(),
        PlanReason::BuildsOn { tasks } => format!("builds on {}", tasks.join(", ")),
    }
}

/// A length of time as people say it.
pub fn time(ms: i64) -> String {
    let seconds = ms as f64 / 1000.0;
    match seconds {
        ..10.0 => format!("{seconds:.1} s"),
        10.0..120.0 => format!("{seconds:.0} s"),
        120.0..7_200.0 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use reelfarm_api::PreviewedTask;
    use reelfarm_model::TaskKind;

    use super::*;

    #[test]
    fn each_task_that_would_run_says_why() {
        let task =
            |label: &str, kind, runs| PreviewedTask { label: label.into(), kind, expected_ms: 4_100, runs };
        let changes = vec!["240p: maxrate_kbps 400 → 300".to_owned()];
        let preview = PlanPreview {
            title: "film".parse().unwrap(),
            ladder: "small.toml".into(),
            fitted: None,
            untried: false,
            tasks: vec![
                task("encode-audio", TaskKind::EncodeAudio, None),
                task("encode-video", TaskKind::EncodeVideo, Some(PlanReason::Changed { changes })),
                task(
                    "package cmaf-clear-2s",
                    TaskKind::Package,
                    Some(PlanReason::BuildsOn { tasks: vec!["encode-video".into()] }),
                ),
            ],
            work_ms: [(Pool::Cpu, 4_100), (Pool::Package, 7_300_000)].into(),
        };
        insta::assert_snapshot!(text(&preview, true), @"
        film  ladder small.toml: 2 of 3 tasks would run: 4.1 s of cpu, 2.0 h of package
            encode-video                        4.1 s  240p: maxrate_kbps 400 → 300
            package cmaf-clear-2s               4.1 s  builds on encode-video
        ");
        assert!(text(&preview, false).contains("is there"));
    }
}
