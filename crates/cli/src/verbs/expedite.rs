//! `reelfarm expedite`: a title before all others of its route, and what that pushes back.

use clap::Args;
use reelfarm_api::{ExpediteAnswer, ExpediteRecord, ExpediteRequest, Outlook, PushedBack};
use reelfarm_model::Failure;

use super::eta::time;
use crate::arguments::Json;
use crate::client::FarmArguments;
use crate::config::Project;
use crate::exit::Exit;
use crate::printer::Printer;

/// Titles that are pushed back and shown; `--json` has up to a hundred.
const SHOWN: usize = 10;

/// `reelfarm expedite`.
#[derive(Debug, Args)]
pub struct Expedite {
    /// The title.
    #[arg(value_name = "TITLE", required_unless_present = "list")]
    pub title: Option<String>,
    /// Why, for those who read it later.
    #[arg(long, value_name = "TEXT", required_unless_present_any = ["list", "dry_run"])]
    pub why: Option<String>,
    /// Only show what would come of it.
    #[arg(long)]
    pub dry_run: bool,
    /// List the titles that were expedited, with who asked and why, the latest first.
    #[arg(long, conflicts_with_all = ["title", "why", "dry_run"])]
    pub list: bool,
    #[command(flatten)]
    pub farm: FarmArguments,
    #[command(flatten)]
    pub json: Json,
}

/// Expedites the title, shows what would come of it, or lists those that were.
pub async fn run(verb: Expedite, printer: &Printer) -> Result<Exit, Failure> {
    let client = verb.farm.require(&Project::load()?)?;
    let Some(title) = &verb.title else {
        let records: Vec<ExpediteRecord> = client.get(&["expedites"], &()).await?;
        if verb.json.json {
            printer.json(&records);
        } else if records.is_empty() {
            printer.line("no title was expedited yet");
        } else {
            records.iter().for_each(|record| printer.data(&record_line(record)));
        }
        return Ok(Exit::Done);
    };
    let why = verb.why.clone().unwrap_or_else(|| "a look at what would come of it".to_owned());
    let request = ExpediteRequest { why, dry_run: verb.dry_run };
    let answer: ExpediteAnswer = client.post(&["titles", title, "expedite"], &request).await?;
    if verb.json.json {
        printer.json(&answer);
    } else {
        text(&answer, verb.dry_run).iter().for_each(|line| printer.data(line));
    }
    Ok(Exit::Done)
}

fn text(answer: &ExpediteAnswer, is_dry: bool) -> Vec<String> {
    let ExpediteAnswer { title, done, route, per_day, used, .. } = answer;
    let what = match (done, is_dry) {
        (true, _) => "is expedited",
        (false, true) => "would be expedited",
        (false, false) => "was expedited before: nothing was spent",
    };
    let mut lines = vec![format!("{title}  {what}; route {route} has used {used} of {per_day} today")];
    if let (Some(before), Some(after)) = (answer.before, answer.after) {
        lines.push(format!("  online about {}, instead of {}", seen(after), seen(before)));
    }
    if answer.before.is_none() {
        lines.push(
            "  what that pushes back is not known: it is held or new, waits for a person, or no worker serves what it needs"
                .to_owned(),
        );
        return lines;
    }
    if answer.pushed_back.is_empty() {
        lines.push("  nothing is online later for it".to_owned());
        return lines;
    }
    let all = answer.pushed_back.len() as u64 + answer.pushed_back_others;
    lines.push(format!("  {all} titles are online later for it:"));
    lines.extend(answer.pushed_back.iter().take(SHOWN).map(pushed_line));
    if let Some(more) = all.checked_sub(SHOWN as u64 + 1) {
        lines.push(format!("    and {} more", more + 1));
    }
    lines
}

fn pushed_line(pushed: &PushedBack) -> String {
    let minutes = (pushed.after.expected_ms - pushed.before.expected_ms).div_euclid(60_000);
    let due = pushed.required_by_ms.map_or("no deadline".to_owned(), |due| format!("due {}", time(due)));
    let name = pushed.title.as_str();
    format!(
        "    {name:<38} {minutes} min later, about {} instead of {}; {due}",
        seen(pushed.after),
        seen(pushed.before)
    )
}

fn seen(outlook: Outlook) -> String {
    format!("{} ({})", time(outlook.expected_ms), outlook.risk.as_str())
}

fn record_line(record: &ExpediteRecord) -> String {
    let ExpediteRecord { title, expedited_ms, route, requester, why } = record;
    let requester = requester.as_deref().unwrap_or("-");
    format!("{}  {:<38} {route}  {requester}: {why}", time(*expedited_ms), title.as_str())
}
