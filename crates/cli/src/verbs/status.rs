//! `reelfarm status`: where a title stands, what it waits for, and why.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use reelfarm_api::{FailedAttempt, LeaderView, Standing, TaskStatus, TitleOrder, TitleStatus};
use reelfarm_model::{Failure, StatedChecksum, TaskState, TitleState};
use reelfarm_scheduler::api::{status_of, title_order};
use reelfarm_store::Store as _;

use super::eta::{time, warnings};
use super::fitted::lines;
use super::list::open;
use super::review::{answer, asked, line};
use super::watch_farm::unknown;
use crate::arguments::Status;
use crate::config::Project;
use crate::exit::Exit;
use crate::printer::Printer;

/// Attempts that failed and are shown; `--json` has them all.
const SHOWN_FAILURES: usize = 5;

/// Shows the title.
pub async fn run(verb: Status, printer: &Printer) -> Result<Exit, Failure> {
    let project = Project::load()?;
    let mut state = None;
    let status: TitleStatus = match verb.farm.connect(&project)? {
        Some(client) => client.get(&["titles", &verb.title], &()).await?,
        None => {
            state = verb.state.state.as_deref();
            let not_found = || unknown(&verb.title);
            let id = verb.title.parse().map_err(|_| not_found())?;
            let store = open(&verb.state).await?.ok_or_else(not_found)?;
            let title = store.title(&id).await?.ok_or_else(not_found)?;
            let order = Some(title_order(&project.order_rules()?, &title));
            status_of(&store, title, LeaderView { order, ..LeaderView::default() }).await?
        }
    };
    if verb.json.json {
        printer.json(&status);
    } else {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        printer.data(&text(&status, i64::try_from(now.as_millis()).unwrap_or(i64::MAX), state));
    }
    Ok(Exit::Done)
}

/// `state` is the state folder, where one was named.
fn text(status: &TitleStatus, now_ms: i64, state: Option<&Path>) -> String {
    let TitleStatus { title, standing, reviews, tasks } = status;
    let submission = &title.submission;
    let held = if title.held { ", held" } else { "" };
    let mut text = format!("{}  {}{held}\n", submission.title, title.state.as_str());
    text.push_str(&format!(
        "  source   {} ({} bytes)\n",
        submission.source.path.display(),
        submission.source.size
    ));
    text.push_str(&format!("  origin   {}/{}\n", submission.origin.trim_end_matches('/'), submission.title));
    text.push_str(&format!("  ladder   {}, submission {}\n", submission.ladder.file, title.generation));
    let conclusion = title.report.as_ref().and_then(|report| report.conclusion.as_ref());
    for line in conclusion.and_then(|conclusion| conclusion.fitted.as_ref()).iter().flat_map(|f| lines(f)) {
        text.push_str(&format!("  fitted   {line}\n"));
    }
    for StatedChecksum { checksum, stated_in } in &submission.checksums {
        text.push_str(&format!("  checksum {checksum} ({stated_in})\n"));
    }
    if let Some(report) = &submission.qc_report {
        text.push_str(&format!(
            "  report   external, by the policy {}: {}\n",
            report.policy,
            report.verdict.as_str()
        ));
    }
    if let Some(failure) = &title.failure {
        text.push_str(&format!("  why      {failure}\n"));
    }
    if let Some(order) = &standing.order {
        text.push_str(&order_line(submission.title.as_str(), order, now_ms));
    }
    if !title.state.is_final() {
        text.push_str(&waiting(standing, now_ms));
    }
    if title.state == TitleState::Review {
        for question in title.report.iter().flat_map(asked) {
            text.push_str(&format!("    look   at {question}\n"));
        }
        let asked_ms = title.review.and_then(|review| review.asked_ms);
        text.push_str(&format!("    then   {}\n", answer(submission.title.as_str(), asked_ms, state)));
    }
    for record in reviews {
        text.push_str(&format!("  decided  {}\n", line(record)));
    }
    if !standing.failed_attempts.is_empty() {
        text.push_str("  failed attempts\n");
        for attempt in standing.failed_attempts.iter().take(SHOWN_FAILURES) {
            text.push_str(&failed_line(attempt));
        }
        if let Some(more) = standing.failed_attempts.len().checked_sub(SHOWN_FAILURES + 1) {
            text.push_str(&format!("    and {} more; --json has them all\n", more + 1));
        }
    }
    text.push_str("  tasks\n");
    for task in tasks {
        text.push_str(&task_line(task));
    }
    text
}

/// What its order follows from.
fn order_line(title: &str, order: &TitleOrder, now_ms: i64) -> String {
    let due = match order.required_by_ms {
        None => "no deadline".to_owned(),
        Some(due_ms) => {
            let at = time(due_ms);
            let minutes = (due_ms - now_ms).div_euclid(60_000);
            let distance = format!("{} h {:02} min", minutes.abs() / 60, minutes.abs() % 60);
            if minutes < 0 {
                format!("was due at {at}, {distance} ago")
            } else {
                format!("due at {at}, in {distance}")
            }
        }
    };
    let remark = order.remark.as_ref().map(|remark| format!("; {remark}")).unwrap_or_default();
    let outlook = order.foreseen.outlook.map_or(String::new(), |outlook| {
        let first = outlook.first_ms.map(|first| format!(", first about {}", time(first)));
        format!(
            "; {}{}, online about {}",
            outlook.risk.as_str(),
            first.unwrap_or_default(),
            time(outlook.expected_ms)
        )
    });
    let expedited = order.expedited_ms.map(|at| format!(", expedited {}", time(at))).unwrap_or_default();
    let mut text =
        format!("  order    {}, route {}{expedited}, {due}{outlook}{remark}\n", order.kind, order.route);
    for warning in warnings(title, &order.foreseen).iter().skip(1) {
        text.push_str(&format!("         {}\n", warning.trim_start()));
    }
    text
}

/// What runs, what is next and what keeps it, and what waits for what.
fn waiting(standing: &Standing, now_ms: i64) -> String {
    let mut text = format!("  now      {}\n", standing.summary);
    for task in &standing.running {
        let on = task.worker.as_ref().map(|worker| format!(" on {worker}")).unwrap_or_default();
        let share = task.progress.fraction * 100.0;
        text.push_str(&format!("    runs   {}{on}, {share:.0} %, attempt {}\n", task.label, task.attempt));
    }
    for task in &standing.next {
        text.push_str(&format!("    next   {} {}\n", task.label, task.sentence(now_ms)));
    }
    for task in &standing.blocked {
        let (first, others) = task.waits_for.split_at(task.waits_for.len().min(3));
        let others = if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
        text.push_str(&format!("    then   {} waits for {}{others}\n", task.label, first.join(", ")));
    }
    text
}

fn failed_line(attempt: &FailedAttempt) -> String {
    let on = attempt.worker.as_ref().map(|worker| format!(" on {worker}")).unwrap_or_default();
    let why = match &attempt.failure {
        Some(failure) => failure.to_string(),
        None => "its worker was lost".to_owned(),
    };
    format!("    {} attempt {}{on}: {why}\n", attempt.label, attempt.attempt)
}

fn task_line(task: &TaskStatus) -> String {
    let detail = match task.state {
        TaskState::Running => format!("{:.0} %", task.progress.fraction * 100.0),
        TaskState::Waiting => format!("for {} tasks", task.needs.len()),
        TaskState::Done => match (task.started_ms, task.finished_ms) {
            (Some(started), Some(finished)) => format!("{:.1} s", (finished - started) as f64 / 1000.0),
            _ => String::new(),
        },
        _ => String::new(),
    };
    let failed = task.attempts.iter().filter_map(|attempt| attempt.failure.as_ref()).next_back();
    let failed = failed.map(|failure| format!("  last failure: {failure}")).unwrap_or_default();
    let attempts = if task.attempt > 1 { format!("  attempt {}", task.attempt) } else { String::new() };
    let line = format!("    {:<28} {:<11} {detail}{attempts}{failed}", task.label, task.state.as_str());
    format!("{}\n", line.trim_end())
}
