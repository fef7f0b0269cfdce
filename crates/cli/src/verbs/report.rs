//! What a run came to, title by title.

use std::path::Path;

use reelfarm_model::qc::{Place, Verdict};
use reelfarm_model::{Failure, Title, TitleState};
use serde::Serialize;

use super::review::{answer, asked};
use crate::exit::Exit;
use crate::printer::Printer;
use crate::side_files::Taken;

/// How one file of a call ended.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// The title's name, where the file has one.
    pub title: Option<String>,
    /// The file as it was named.
    pub source: String,
    /// `published`, `rejected`, `failed`, `cancelled`, `refused`, `review` where it waits for a person, or `interrupted`.
    pub state: String,
    /// The title's folder at the origin, once it is published.
    pub origin: Option<String>,
    /// The files of subtitles that go with it.
    pub subtitles: Vec<Taken>,
    /// What QC warned of, left to a person or rejected: code and one line each.
    pub findings: Vec<Finding>,
    /// Why it is not published.
    pub failure: Option<Failure>,
    /// What a person is asked to look at, as lines.
    #[serde(skip)]
    pub asked: Vec<String>,
}

/// One QC check that did not pass.
#[derive(Debug, Serialize)]
pub struct Finding {
    /// The check's code.
    pub code: String,
    /// `warn`, `human` or `reject`.
    pub verdict: Verdict,
    /// What was found against which limit.
    pub text: String,
    /// Where it was found, the first few places.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<Place>,
}

/// Prints what a call came to. `state` is the state folder of its titles, where one was named.
pub fn print(outcomes: &[Outcome], json: bool, state: Option<&Path>, printer: &Printer) {
    if json {
        printer.json(&serde_json::json!({ "titles": outcomes }));
        return;
    }
    for outcome in outcomes {
        let name = outcome.title.as_deref().unwrap_or(&outcome.source);
        let place = outcome.origin.as_deref().unwrap_or_default();
        printer.data(format!("{name}  {}  {place}", outcome.state).trim_end());
        let is_note = |finding: &&Finding| outcome.failure.is_none() && finding.verdict != Verdict::Human;
        for finding in outcome.findings.iter().filter(is_note) {
            printer.line(&format!("  note: {} ({})", finding.text, finding.code));
        }
        if outcome.state == TitleState::Review.as_str() {
            outcome.asked.iter().for_each(|question| printer.line(&format!("  look at {question}")));
            printer.line(&format!("  then {}", answer(name, None, state)));
        }
    }
}

impl Outcome {
    /// A file that did not become a title.
    pub fn refused(source: &Path, title: Option<String>, failure: Failure) -> Self {
        Self { title, failure: Some(failure), ..Self::without_title(source, "refused") }
    }

    /// A file that the call had not looked at when it was stopped.
    pub fn interrupted(source: &Path) -> Self {
        Self::without_title(source, "interrupted")
    }

    fn without_title(source: &Path, state: &str) -> Self {
        Self {
            title: None,
            source: source.to_string_lossy().into_owned(),
            state: state.to_owned(),
            origin: None,
            subtitles: Vec::new(),
            findings: Vec::new(),
            failure: None,
            asked: Vec::new(),
        }
    }

    /// A title as it stands at the end of the call.
    pub fn of(source: &Path, title: &Title) -> Self {
        let id = title.submission.title.to_string();
        let published = title.state == TitleState::Published;
        let rests = title.state.is_final() || title.state == TitleState::Review;
        let state = if rests { title.state.as_str() } else { "interrupted" };
        let findings = title.report.iter().flat_map(|report| &report.checks);
        Self {
            origin: published.then(|| format!("{}/{id}", title.submission.origin.trim_end_matches('/'))),
            title: Some(id),
            source: source.to_string_lossy().into_owned(),
            state: state.to_owned(),
            subtitles: title.submission.subtitles.iter().map(Taken::of).collect(),
            findings: findings
                .filter(|check| check.verdict != Verdict::Pass)
                .map(|check| Finding {
                    code: check.code.to_string(),
                    verdict: check.verdict,
                    text: format!("{}: {} (accepted: {})", check.name, check.value, check.limit),
                    places: check.places.clone(),
                })
                .collect(),
            failure: title.failure.clone(),
            asked: title.report.as_ref().map(asked).unwrap_or_default(),
        }
    }

    /// A title at a farm, where it goes on being made without this call.
    pub fn at_farm(source: &Path, title: &Title) -> Self {
        Self { state: title.state.as_str().to_owned(), ..Self::of(source, title) }
    }

    /// The exit code that this outcome alone would give, where titles go on without this call. `waited` is whether the call
    /// was to wait for their end.
    pub fn exit_at_farm(&self, waited: bool) -> Exit {
        let has_ended =
            self.state.parse::<TitleState>().is_ok_and(TitleState::is_final) || self.state == "refused";
        match (waited, has_ended) {
            (false, _) if self.state != "refused" => Exit::Done,
            (true, false) => Exit::Done,
            _ => self.exit(),
        }
    }

    /// The exit code that this outcome alone would give.
    pub fn exit(&self) -> Exit {
        match (&self.failure, self.state.as_str()) {
            (_, "published") => Exit::Done,
            (Some(failure), _) => Exit::of(failure),
            (None, _) => Exit::Failed,
        }
    }
}
