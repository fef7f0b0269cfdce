//! `reelfarm approve`, `reject` and `reviews`: what people decide about titles that QC leaves to them, at a farm or in a
//! state folder.

use std::path::Path;

use clap::Args;
use reelfarm_api::{ApproveRequest, RejectRequest};
use reelfarm_model::qc::{Check, QcReport, Verdict};
use reelfarm_model::{Code, Decision, Failure, ReviewRecord, Title, TitleId, TitleState};
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

/// What is decided about.
#[derive(Clone, Copy, Debug, Args)]
pub struct AskedAt {
    /// When it was asked what is decided of the one TITLE, as `reelfarm status` says. Where something else is asked by now,
    /// nothing is decided.
    #[arg(long, value_name = "MILLISECONDS")]
    pub asked_ms: Option<i64>,
}

impl AskedAt {
    /// # Errors
    /// It is said of several titles.
    fn of(self, titles: &[String]) -> Result<Option<i64>, Failure> {
        match self.asked_ms {
            Some(_) if titles.len() > 1 => {
                let message =
                    "--asked-ms is that of one title; there are several: decide about each by itself";
                Err(Failure::new(Code::SettingsInvalid, message))
            }
            asked_ms => Ok(asked_ms),
        }
    }
}

/// What somebody decides about each of some titles.
struct Wish<'a> {
    decision: Decision,
    why: Option<&'a str>,
    asked_ms: Option<i64>,
}

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
    pub asked: AskedAt,
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
    pub asked: AskedAt,
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

    async fn decide(&self, title: &str, wish: &Wish<'_>) -> Result<Title, Failure> {
        let Wish { decision, asked_ms, .. } = *wish;
        let why = wish.why.map(str::to_owned);
        match self {
            Self::Nowhere => Err(unknown(title)),
            Self::Here { store, .. } => {
                let id: TitleId = title.parse().map_err(|_| unknown(title))?;
                let wish = DecisionWish { decision, why, asked_ms, reviewer: user() };
                Ok(decide(store, &id, wish).await?.title)
            }
            Self::Farm(client) => match (decision, why) {
                (Decision::Rejected, Some(why)) => {
                    client.post(&["titles", title, "reject"], &RejectRequest { why, asked_ms }).await
                }
                (_, why) => {
                    client.post(&["titles", title, "approve"], &ApproveRequest { why, asked_ms }).await
                }
            },
        }
    }
}

/// Approves the titles.
pub async fn approve(verb: Approve, printer: &Printer) -> Result<Exit, Failure> {
    let asked_ms = verb.asked.of(&verb.titles)?;
    let place = Place::of(&verb.farm, &verb.state).await?;
    let wish = Wish { decision: Decision::Approved, why: verb.why.as_deref(), asked_ms };
    decide_all(&place, &verb.titles, &wish, verb.json, printer).await
}

/// Rejects the titles.
pub async fn reject(verb: Reject, printer: &Printer) -> Result<Exit, Failure> {
    let asked_ms = verb.asked.of(&verb.titles)?;
    let place = Place::of(&verb.farm, &verb.state).await?;
    let wish = Wish { decision: Decision::Rejected, why: Some(&verb.why), asked_ms };
    decide_all(&place, &verb.titles, &wish, verb.json, printer).await
}

/// What cannot be decided about one does not keep the others from it.
async fn decide_all(
    place: &Place,
    titles: &[String],
    wish: &Wish<'_>,
    json: Json,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let (mut decided, mut exit) = (Vec::new(), Exit::Done);
    for title in titles {
        match place.decide(title, wish).await {
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
            let (id, state, decision) =
                (&title.submission.title, title.state.as_str(), wish.decision.as_str());
            let now = if state == decision { String::new() } else { format!(", now {state}") };
            printer.data(&format!("{id}  {decision}{now}"));
            if title.state == TitleState::Withdrawing {
                printer.line(&format!("{id}: `reelfarm status {id}` shows whether that came in time"));
            }
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

/// How a person answers; `asked_ms` is when it was asked, where that is known, and `state` the state folder, where one was
/// named.
pub fn answer(title: &str, asked_ms: Option<i64>, state: Option<&Path>) -> String {
    let asked = asked_ms.map(|asked_ms| format!(" --asked-ms {asked_ms}")).unwrap_or_default();
    let state =
        state.map(|state| format!(" --state {}", quoted(&state.to_string_lossy()))).unwrap_or_default();
    format!("reelfarm approve {title}{asked}{state}, or reelfarm reject {title}{asked}{state} --why TEXT")
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
        assert_eq!(answer("film", None, None), "reelfarm approve film, or reelfarm reject film --why TEXT");
        assert_eq!(
            answer("film", Some(7), None),
            "reelfarm approve film --asked-ms 7, or reelfarm reject film --asked-ms 7 --why TEXT"
        );
        let folder = |name: &str| answer("film", None, Some(Path::new(name)));
        assert!(folder("../state-1").starts_with("reelfarm approve film --state ../state-1, or "));
        assert!(folder("my state").contains("--state 'my state' --why"));
        assert!(folder("it's").contains(r"--state 'it'\''s' --why"));
    }

    #[test]
    fn when_it_was_asked_is_said_of_one_title_alone() {
        let titles = ["a", "b"].map(str::to_owned);
        let asked = |asked_ms| AskedAt { asked_ms };
        assert_eq!(asked(None).of(&titles).unwrap(), None);
        assert_eq!(asked(Some(7)).of(&titles[..1]).unwrap(), Some(7));
        assert_eq!(asked(Some(7)).of(&titles).unwrap_err().code, Code::SettingsInvalid);
    }
}
