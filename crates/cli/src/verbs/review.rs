//! `reelfarm approve`, `reject` and `reviews`: what people decide about titles that QC leaves to them, at a farm or in a
//! state folder.

use std::path::Path;

use clap::Args;
use reelfarm_api::{ApproveRequest, RejectRequest};
use reelfarm_model::qc::{Check, QcReport, Verdict};
use reelfarm_model::{Decision, Failure, ReviewRecord, Title, TitleId};
use reelfarm_scheduler::review::{DecisionWish, decide};
use reelfarm_store::{SqliteStore, Store as _};

use super::eta::time;
use super::list::open;
use super::watch_farm::unknown;
use crate::arguments::{Json, State};
use crate::client::{Client, FarmArguments};
use crate::config::Project;
use crate::exit::Exit;
use crate::farm::{self, DATABASE_FILE};
use crate::printer::Printer;

/// Places of a check that are shown; `--json` has them all.
const SHOWN_PLACES: usize = 5;

/// `reelfarm approve`.
#[derive(Debug, Args)]
pub struct Approve {
    /// The titles.
    #[arg(required = true, value_name = "TITLE")]
    pub titles: Vec<String>,
    /// Why, for those who read it later.
    #[arg(long, value_name = "TEXT")]
    pub why: Option<String>,
    #[command(flatten)]
    pub farm: FarmArguments,
    #[command(flatten)]
    pub state: State,
    #[command(flatten)]
    pub json: Json,
}

/// `reelfarm reject`.
#[derive(Debug, Args)]
pub struct Reject {
    /// The titles.
    #[arg(required = true, value_name = "TITLE")]
    pub titles: Vec<String>,
    /// Why: the titles carry these words from now on.
    #[arg(long, value_name = "TEXT")]
    pub why: String,
    #[command(flatten)]
    pub farm: FarmArguments,
    #[command(flatten)]
    pub state: State,
    #[command(flatten)]
    pub json: Json,
}

/// `reelfarm reviews`.
#[derive(Debug, Args)]
pub struct Reviews {
    #[command(flatten)]
    pub farm: FarmArguments,
    #[command(flatten)]
    pub state: State,
    #[command(flatten)]
    pub json: Json,
}

/// Where titles are decided about.
enum Place {
    Farm(Box<Client>),
    /// A state folder in which no other reelfarm works: that one would not hear of it.
    Here {
        store: SqliteStore,
        _lock: fs_err::File,
    },
    /// A folder in which nothing was ever submitted.
    Nowhere,
}

impl Place {
    async fn of(farm: &FarmArguments, state: &State) -> Result<Self, Failure> {
        let project = Project::load()?;
        if let Some(client) = farm.connect(&project)? {
            return Ok(Self::Farm(Box::new(client)));
        }
        let folder = project.state(state.state.as_ref());
        let database = folder.join(DATABASE_FILE);
        if !fs_err::tokio::try_exists(&database).await.unwrap_or(true) {
            return Ok(Self::Nowhere);
        }
        let lock = farm::lock(&folder)?;
        Ok(Self::Here { store: SqliteStore::open(&database).await?, _lock: lock })
    }

    async fn decide(&self, title: &str, decision: Decision, why: Option<&str>) -> Result<Title, Failure> {
        let why = why.map(str::to_owned);
        match self {
            Self::Nowhere => Err(unknown(title)),
            Self::Here { store, .. } => {
                let id: TitleId = title.parse().map_err(|_| unknown(title))?;
                let wish = DecisionWish { decision, why, asked_ms: None, reviewer: user() };
                Ok(decide(store, &id, wish).await?.title)
            }
            Self::Farm(client) => match (decision, why) {
                (Decision::Rejected, Some(why)) => {
                    client.post(&["titles", title, "reject"], &RejectRequest { why, asked_ms: None }).await
                }
                (_, why) => {
                    client.post(&["titles", title, "approve"], &ApproveRequest { why, asked_ms: None }).await
                }
            },
        }
    }
}

/// Approves the titles.
pub async fn approve(verb: Approve, printer: &Printer) -> Result<Exit, Failure> {
    let place = Place::of(&verb.farm, &verb.state).await?;
    decide_all(&place, &verb.titles, Decision::Approved, verb.why.as_deref(), verb.json, printer).await
}

/// Rejects the titles.
pub async fn reject(verb: Reject, printer: &Printer) -> Result<Exit, Failure> {
    let place = Place::of(&verb.farm, &verb.state).await?;
    decide_all(&place, &verb.titles, Decision::Rejected, Some(&verb.why), verb.json, printer).await
}

/// What cannot be decided about one does not keep the others from it.
async fn decide_all(
    place: &Place,
    titles: &[String],
    decision: Decision,
    why: Option<&str>,
    json: Json,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let (mut decided, mut exit) = (Vec::new(), Exit::Done);
    for title in titles {
        match place.decide(title, decision, why).await {
            Ok(title) => decided.push(title),
            Err(failure) => {
                printer.failure(Some(title), &failure);
                exit = exit.worst(Exit::of(&failure));
            }
        }
    }
    if json.json {
        printer.json(&decided);
    } else {
        for title in &decided {
            let (id, state, decision) = (&title.submission.title, title.state.as_str(), decision.as_str());
            let now = if state == decision { String::new() } else { format!(", now {state}") };
            printer.data(&format!("{id}  {decision}{now}"));
        }
    }
    if let Place::Here { store, .. } = place {
        if decided.iter().any(|title| !title.state.is_final()) {
            printer.line("the next `reelfarm run` in this state folder goes on with it");
        }
        store.close().await;
    }
    Ok(exit)
}

/// Lists what people decided.
pub async fn reviews(verb: Reviews, printer: &Printer) -> Result<Exit, Failure> {
    let records: Vec<ReviewRecord> = match verb.farm.connect(&Project::load()?)? {
        Some(client) => client.get(&["reviews"], &()).await?,
        None => match open(&verb.state).await? {
            Some(store) => store.reviews(None, usize::MAX).await?,
            None => Vec::new(),
        },
    };
    if verb.json.json {
        printer.json(&records);
    } else if records.is_empty() {
        printer.line("nobody has decided about a title yet");
    } else {
        records
            .iter()
            .for_each(|record| printer.data(&format!("{:<38} {}", record.title.as_str(), line(record))));
    }
    Ok(Exit::Done)
}

/// A decision: when, what, by whom and why.
pub fn line(record: &ReviewRecord) -> String {
    let ReviewRecord { decided_ms, decision, reviewer, why, policy, .. } = record;
    let reviewer = reviewer.as_deref().unwrap_or("-");
    let why = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    format!("{}  {} by {reviewer} (policy {policy}){why}", time(*decided_ms), decision.as_str())
}

/// What a person is asked to look at, a line each.
pub fn asked(report: &QcReport) -> Vec<String> {
    report.checks.iter().filter(|check| check.verdict == Verdict::Human).map(asked_line).collect()
}

fn asked_line(check: &Check) -> String {
    let Check { code, name, value, limit, remedy, places, .. } = check;
    let mut shown: Vec<_> = places.iter().take(SHOWN_PLACES).map(|place| place.time_code.as_str()).collect();
    if places.len() > SHOWN_PLACES {
        shown.push("…");
    }
    let at = if shown.is_empty() { String::new() } else { format!(", at {}", shown.join(", ")) };
    let remedy = if remedy.is_empty() { String::new() } else { format!("; {remedy}") };
    format!("{name}: {value} (accepted: {limit}){at}{remedy} ({code})")
}

/// How a person answers; `state` is the state folder, where one was named.
pub fn answer(title: &str, state: Option<&Path>) -> String {
    let state =
        state.map(|state| format!(" --state {}", quoted(&state.to_string_lossy()))).unwrap_or_default();
    format!("reelfarm approve {title}{state}, or reelfarm reject {title}{state} --why TEXT")
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+:@%=".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Who decides in a state folder of one's own: there are no tokens.
fn user() -> Option<String> {
    ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok().filter(|user| !user.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_typed_can_be_copied_into_a_shell() {
        assert_eq!(answer("film", None), "reelfarm approve film, or reelfarm reject film --why TEXT");
        let folder = |name: &str| answer("film", Some(Path::new(name)));
        assert!(folder("../state-1").starts_with("reelfarm approve film --state ../state-1, or "));
        assert!(folder("my state").contains("--state 'my state' --why"));
        assert!(folder("it's").contains(r"--state 'it'\''s' --why"));
    }
}
