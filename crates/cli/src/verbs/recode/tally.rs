//! What a recode comes to: title by title, as it is found out, and in all.

use std::collections::BTreeMap;

use reelfarm_api::PlanPreview;
use reelfarm_model::{Failure, Pool, TaskKind, TitleId};
use serde::Serialize;

use crate::exit::Exit;
use crate::printer::Printer;
use crate::verbs::plan::{UNTRIED, summary, time};

/// Titles that are named of those that are left alone.
const NAMED: usize = 5;

/// What becomes of a title.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Nothing would run.
    Unchanged,
    /// Something would.
    WouldChange,
    /// It was submitted.
    Submitted,
    /// It is being recoded already.
    UnderWay,
    /// It cannot be recoded.
    Refused,
}

/// A title.
#[derive(Serialize)]
pub struct Line {
    /// Its name.
    pub title: String,
    /// What becomes of it.
    pub state: State,
    /// What would run; absent where that was not found out.
    #[serde(flatten)]
    pub work: Option<Work>,
    /// Why it cannot be recoded, or why it was not found out what would run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// How much would run.
#[derive(Serialize)]
pub struct Work {
    /// The tasks that would run, by kind.
    pub tasks: BTreeMap<TaskKind, usize>,
    /// All tasks of the title.
    pub of: usize,
    /// What those that would run take together, by pool, in milliseconds.
    pub work_ms: BTreeMap<Pool, i64>,
    /// Whether the ladder would first be fitted to it, so that more or less may run.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub untried: bool,
}

impl Work {
    /// That of a plan.
    pub fn of(plan: &PlanPreview) -> Self {
        let mut tasks = BTreeMap::new();
        for (task, _) in plan.to_run() {
            *tasks.entry(task.kind).or_default() += 1;
        }
        Self { tasks, of: plan.tasks.len(), work_ms: plan.work_ms.clone(), untried: plan.untried }
    }

    /// Whether nothing would run.
    pub fn is_nothing(&self) -> bool {
        self.tasks.is_empty()
    }
}

impl Line {
    /// One that cannot be recoded.
    pub fn refused(title: &str, failure: Failure) -> Self {
        Self { title: title.to_owned(), state: State::Refused, work: None, failure: Some(failure) }
    }
}

/// The titles so far.
pub struct Tally<'a> {
    printer: &'a Printer,
    json: bool,
    lines: Vec<Line>,
    unchanged: usize,
    changed: usize,
    work_ms: BTreeMap<Pool, i64>,
    /// Made with the ladder, and not online.
    left: Vec<TitleId>,
    exit: Exit,
}

impl<'a> Tally<'a> {
    /// Of no title.
    pub fn new(printer: &'a Printer, json: bool) -> Self {
        let (lines, work_ms, left) = (Vec::new(), BTreeMap::new(), Vec::new());
        Self { printer, json, lines, unchanged: 0, changed: 0, work_ms, left, exit: Exit::Done }
    }

    /// Takes in a title and tells it.
    pub fn take(&mut self, line: Line) {
        match line.state {
            State::Unchanged => self.unchanged += 1,
            State::WouldChange | State::Submitted | State::UnderWay => self.changed += 1,
            State::Refused => {}
        }
        for (pool, ms) in line.work.iter().flat_map(|work| &work.work_ms) {
            *self.work_ms.entry(*pool).or_default() += ms;
        }
        if let (State::Refused, Some(failure)) = (line.state, &line.failure) {
            self.printer.failure(Some(&line.title), failure);
            self.exit = self.exit.worst(Exit::of(failure));
        }
        if self.json {
            self.lines.push(line);
        } else if line.state != State::Refused {
            self.printer.data(&text(&line));
        }
    }

    /// Takes in a title that was made with the ladder and is not online.
    pub fn leave(&mut self, title: TitleId) {
        self.left.push(title);
    }

    /// Whether nothing became of any title so far.
    pub fn is_empty(&self) -> bool {
        self.unchanged + self.changed == 0 && self.exit == Exit::Done
    }

    /// Tells what it came to. `ladder` is as it was asked for.
    pub fn end(self, ladder: &str) -> Exit {
        if self.json {
            self.printer.json(&serde_json::json!({ "titles": self.lines }));
        } else {
            self.printer.line(&self.total(ladder));
            if let Some(left) = self.of_left() {
                self.printer.line(&left);
            }
        }
        self.exit
    }

    fn total(&self, ladder: &str) -> String {
        let Self { unchanged, changed, .. } = self;
        let work: Vec<_> =
            self.work_ms.iter().map(|(pool, ms)| format!("{} of {}", time(*ms), pool.as_str())).collect();
        match (changed, unchanged) {
            (0, 0) if self.exit == Exit::Done => {
                format!("no title that is online was made with the ladder {ladder}")
            }
            (0, unchanged) => format!("none of {unchanged} titles would change"),
            _ => format!("{changed} of {} titles change: {}", changed + unchanged, work.join(", ")),
        }
    }

    fn of_left(&self) -> Option<String> {
        let named: Vec<_> = self.left.iter().take(NAMED).map(TitleId::to_string).collect();
        let more = self.left.len().checked_sub(NAMED + 1).map(|more| format!(" and {} more", more + 1));
        (!named.is_empty()).then(|| {
            format!(
                "left alone, because they were made with it and are not online: {}{}",
                named.join(", "),
                more.unwrap_or_default()
            )
        })
    }
}

fn text(line: &Line) -> String {
    let state = match line.state {
        State::Submitted => "submitted; ",
        State::UnderWay => "under way; ",
        State::Unchanged | State::WouldChange | State::Refused => "",
    };
    let work = match (&line.work, &line.failure) {
        (Some(work), _) => {
            let untried = if work.untried { format!("; {UNTRIED}") } else { String::new() };
            format!("{}{untried}", summary(work.tasks.values().sum(), work.of, &work.work_ms))
        }
        (None, failure) => failure.as_ref().map_or_else(String::new, |failure| failure.message.clone()),
    };
    format!("{:<32} {state}{work}", line.title)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(title: &str, state: State, encodes: usize) -> Line {
        let work = Work {
            tasks: [(TaskKind::EncodeVideo, encodes)].into_iter().filter(|(_, count)| *count > 0).collect(),
            of: 20,
            work_ms: if encodes > 0 { [(Pool::Cpu, 60_000)].into() } else { BTreeMap::new() },
            untried: false,
        };
        Line { title: title.to_owned(), state, work: Some(work), failure: None }
    }

    #[test]
    fn it_says_what_becomes_of_each_and_of_all() {
        assert_eq!(
            text(&line("film", State::Submitted, 3)),
            format!("{:<32} submitted; 3 of 20 tasks would run: 60 s of cpu", "film")
        );
        let printer = Printer::new();
        let mut tally = Tally::new(&printer, true);
        assert_eq!(tally.total("default"), "no title that is online was made with the ladder default");
        tally.take(line("one", State::Unchanged, 0));
        assert_eq!(tally.total("default"), "none of 1 titles would change");
        tally.take(line("two", State::WouldChange, 3));
        tally.take(line("three", State::UnderWay, 2));
        assert_eq!(tally.total("default"), "2 of 3 titles change: 2 min of cpu");
        assert_eq!(tally.of_left(), None);
        for number in 1..=7 {
            tally.leave(format!("film-{number}").parse().unwrap());
        }
        assert_eq!(
            tally.of_left().unwrap(),
            "left alone, because they were made with it and are not online: film-1, film-2, film-3, film-4, film-5 and 2 more"
        );
    }
}
