//! `reelfarm status`: where a title stands and why.

use reelfarm_model::{Code, Failure, TaskState, Title};
use reelfarm_store::{AttemptRecord, Store, TaskRecord};
use serde::Serialize;

use super::list::open;
use crate::arguments::Status;
use crate::exit::Exit;
use crate::printer::Printer;

/// A title with its tasks and their attempts.
#[derive(Serialize)]
struct Standing {
    title: Title,
    tasks: Vec<TaskStanding>,
}

#[derive(Serialize)]
struct TaskStanding {
    label: String,
    #[serde(flatten)]
    record: TaskRecord,
    attempts: Vec<AttemptRecord>,
}

/// Shows the title.
pub async fn run(verb: Status, printer: &Printer) -> Result<Exit, Failure> {
    let not_found = || {
        let message = format!("no title is called {:?} here; `reelfarm list` shows all", verb.title);
        Failure::new(Code::TitleNotFound, message)
    };
    let id = verb.title.parse().map_err(|_| not_found())?;
    let store = open(&verb.state).await?.ok_or_else(not_found)?;
    let title = store.title(&id).await?.ok_or_else(not_found)?;
    let mut tasks = Vec::new();
    for record in store.tasks_of(&id).await? {
        let attempts = store.attempts_of(&record.task.key).await?;
        let label = record.task.spec.label_with(record.source.as_ref());
        tasks.push(TaskStanding { label, record, attempts });
    }
    let standing = Standing { title, tasks };
    if verb.json.json {
        printer.json(&standing);
    } else {
        printer.data(&text(&standing));
    }
    Ok(Exit::Done)
}

fn text(standing: &Standing) -> String {
    let Standing { title, tasks } = standing;
    let submission = &title.submission;
    let mut text = format!("{}  {}\n", submission.title, title.state.as_str());
    text.push_str(&format!(
        "  source   {} ({} bytes)\n",
        submission.source.path.display(),
        submission.source.size
    ));
    text.push_str(&format!("  origin   {}/{}\n", submission.origin.trim_end_matches('/'), submission.title));
    text.push_str(&format!("  ladder   {}, submission {}\n", submission.ladder.file, title.generation));
    if let Some(failure) = &title.failure {
        text.push_str(&format!("  why      {failure}\n"));
    }
    text.push_str("  tasks\n");
    for task in tasks {
        text.push_str(&task_line(task));
    }
    text
}

fn task_line(task: &TaskStanding) -> String {
    let record = &task.record;
    let detail = match record.state {
        TaskState::Running => format!("{:.0} %", record.progress.fraction * 100.0),
        TaskState::Waiting => format!("for {} tasks", record.needs.len()),
        TaskState::Done => match (record.started_ms, record.finished_ms) {
            (Some(started), Some(finished)) => format!("{:.1} s", (finished - started) as f64 / 1000.0),
            _ => String::new(),
        },
        _ => String::new(),
    };
    let failed = task.attempts.iter().filter_map(|attempt| attempt.failure.as_ref()).next_back();
    let failed = failed.map(|failure| format!("  last failure: {failure}")).unwrap_or_default();
    let attempts = if record.attempt > 1 { format!("  attempt {}", record.attempt) } else { String::new() };
    let line = format!("    {:<28} {:<11} {detail}{attempts}{failed}", task.label, record.state.as_str());
    format!("{}\n", line.trim_end())
}
