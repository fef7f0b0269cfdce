//! What a soak did and how it ended, as a table in Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use reelfarm_test_servers::postgres::Postgres;

use super::oracle::Verdict;
use super::plan::FaultKind;

/// What was counted.
pub(super) struct Report {
    pub(super) seed: u64,
    /// How long faults were injected.
    pub(super) faults_for: Duration,
    /// How long it took from then until every title had ended.
    pub(super) settled_in: Duration,
    pub(super) verdict: Verdict,
    pub(super) faults: BTreeMap<FaultKind, u64>,
    /// Processes that found no server when they started, and were started again.
    pub(super) restarts: u64,
    /// Terms of the leadership.
    pub(super) terms: u64,
    /// Tasks that are done.
    pub(super) tasks: u64,
    /// Attempts by how they ended.
    pub(super) attempts: BTreeMap<String, u64>,
}

impl Report {
    /// Counts what the store knows.
    pub(super) async fn count(&mut self, postgres: &Postgres) {
        let number = |text: &str| text.parse::<u64>().unwrap();
        let rows = postgres.query("SELECT outcome, count(*) FROM attempts GROUP BY outcome").await.unwrap();
        self.attempts = rows.iter().map(|row| (row[0].clone(), number(&row[1]))).collect();
        let done = postgres.query("SELECT count(*) FROM tasks WHERE state = 'done'").await.unwrap();
        self.tasks = number(&done[0][0]);
        let term = postgres.query("SELECT term FROM leadership").await.unwrap();
        self.terms = number(&term[0][0]);
    }

    /// The table.
    pub(super) fn table(&self) -> String {
        let mut rows: Vec<(String, String)> = vec![
            ("seed".to_owned(), self.seed.to_string()),
            ("faults injected for".to_owned(), format!("{} s", self.faults_for.as_secs())),
            ("all titles ended after".to_owned(), format!("{} s more", self.settled_in.as_secs())),
        ];
        let mut row = |name: &str, count: u64| rows.push((name.to_owned(), count.to_string()));
        row("titles accepted", self.verdict.ends.values().sum());
        for (state, count) in &self.verdict.ends {
            row(&format!("… {}", state.as_str()), *count);
        }
        row("titles whose client waited for no answer, never accepted", self.verdict.never_accepted);
        for (code, count) in &self.verdict.given_up {
            row(
                &format!("titles given up and made again by `reelfarm retry`: {code}, {}", code.summary()),
                *count,
            );
        }
        row("tasks done", self.tasks);
        row("attempts", self.attempts.values().sum());
        for (outcome, count) in &self.attempts {
            row(&format!("… {outcome}"), *count);
        }
        row("terms of the leadership", self.terms);
        row("starts that found no server and were tried again", self.restarts);
        row("messages that nobody understood, in `reelfarm.dead`", self.verdict.dead_letters as u64);
        row("faults", self.faults.values().sum());
        for (kind, count) in &self.faults {
            row(&format!("… {}", kind.said()), *count);
        }
        // The judge ends the test at the first one, so there is nothing to count.
        row("**titles lost**", 0);
        row("**published twice, or not as the index says**", 0);
        row("**processes, staging folders and messages left behind**", 0);
        let mut table = "| | |\n|---|---|\n".to_owned();
        for (name, value) in rows {
            writeln!(table, "| {name} | {value} |").unwrap();
        }
        table
    }

    /// Prints the table, and writes it into a file where one is named.
    pub(super) fn publish(&self, file: Option<&Path>) {
        println!("{}", self.table());
        if let Some(file) = file {
            fs_err::write(file, self.table()).unwrap();
        }
    }
}
