//! Shows progress: a bar a title on a terminal, a line now and then elsewhere.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use reelfarm_model::{Title, TitleId, TitleState};
use reelfarm_scheduler::event::{FarmEvent, TaskResult};

use super::tracker::Tracker;
use crate::printer::Printer;
use crate::verbs::eta::warnings;

/// How often a title's plain line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);
const BAR_STEPS: u64 = 1000;
/// Characters for a title's name before its bar; longer names push it.
const NAME_WIDTH: usize = 20;

/// The display of all titles of a call.
pub struct Display {
    printer: Printer,
    titles: HashMap<TitleId, Shown>,
}

struct Shown {
    tracker: Tracker,
    bar: Option<ProgressBar>,
    planned_at: Option<Instant>,
    line_at: Instant,
    stage: String,
}

impl Display {
    /// An empty display.
    pub fn new(printer: &Printer) -> Self {
        Self { printer: printer.clone(), titles: HashMap::new() }
    }

    /// Adds a title below those that are there.
    pub fn add(&mut self, title: &TitleId) {
        let bar = self.printer.is_terminal().then(|| self.bar(title));
        let shown = Shown {
            tracker: Tracker::default(),
            bar,
            planned_at: None,
            line_at: Instant::now(),
            stage: String::new(),
        };
        self.titles.insert(title.clone(), shown);
    }

    fn bar(&self, title: &TitleId) -> ProgressBar {
        let bar = self.printer.bars().add(ProgressBar::new(BAR_STEPS));
        // The template is fixed text; were it wrong, the plain style would do.
        let style = ProgressStyle::with_template("{prefix} [{bar:28}] {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("━╸ ");
        bar.set_style(style);
        bar.set_prefix(format!("{:<NAME_WIDTH$}", title.as_str()));
        bar.set_message("waiting");
        bar
    }

    /// Takes an event in and shows what it changed.
    pub fn on_event(&mut self, event: &FarmEvent) {
        match event {
            FarmEvent::TitleChanged(title) => self.on_title(title),
            FarmEvent::Planned { title, tasks } => self.update(title, |shown| {
                shown.tracker.plan(tasks);
                shown.planned_at = Some(Instant::now());
            }),
            FarmEvent::TaskStarted { title, task, label, .. } => {
                self.update(title, |shown| shown.tracker.started(*task, label));
            }
            FarmEvent::TaskProgress { title, task, progress } => {
                self.update(title, |shown| shown.tracker.progress(*task, *progress));
            }
            FarmEvent::RiskChanged { title, foreseen } => {
                warnings(title.as_str(), foreseen).iter().for_each(|line| self.printer.line(line));
            }
            FarmEvent::TaskFinished { title, task, label, result } => {
                if let TaskResult::WillRetry(failure) = result {
                    self.printer.line(&format!("{title}: {label} failed and is tried again: {failure}"));
                }
                self.update(title, |shown| shown.tracker.finished(*task, result));
            }
        }
    }

    fn on_title(&mut self, title: &Title) {
        let (id, state) = (&title.submission.title, title.state);
        self.update(id, |shown| shown.tracker.state(state));
        if !state.is_final() {
            return;
        }
        let Some(shown) = self.titles.get_mut(id) else { return };
        if let Some(bar) = &shown.bar {
            if state == TitleState::Published {
                bar.set_position(BAR_STEPS);
            }
            bar.abandon_with_message(state.as_str());
        }
    }

    fn update(&mut self, title: &TitleId, change: impl FnOnce(&mut Shown)) {
        let Some(shown) = self.titles.get_mut(title) else { return };
        change(shown);
        let message = message(shown);
        match &shown.bar {
            Some(bar) => {
                bar.set_position((shown.tracker.fraction() * BAR_STEPS as f64) as u64);
                bar.set_message(message);
            }
            None => {
                let stage = shown.tracker.stage();
                let turned = stage != shown.stage && stage != "waiting";
                if turned || shown.line_at.elapsed() >= LINE_EVERY {
                    shown.line_at = Instant::now();
                    shown.stage = stage;
                    self.printer.line(&format!("{title}: {message}"));
                }
            }
        }
    }

    /// Takes the bars off the terminal, so that what follows stands alone.
    pub fn end(&self) {
        for shown in self.titles.values() {
            if let Some(bar) = &shown.bar {
                bar.abandon();
            }
        }
    }
}

/// Such as `encoding 43 %  112 fps  4.5×  0:32 left`.
fn message(shown: &Shown) -> String {
    let tracker = &shown.tracker;
    let stage = tracker.stage();
    let running = matches!(
        stage.as_str(),
        "checking" | "encoding" | "packaging" | "verifying" | "uploading" | "publishing"
    );
    if !running {
        return stage;
    }
    let mut message = format!("{stage:<10} {:>3.0} %", tracker.fraction() * 100.0);
    if let Some(rate) = tracker.frames_per_second() {
        message.push_str(&format!("  {rate:.0} fps"));
    }
    if let Some(speed) = tracker.speed() {
        message.push_str(&format!("  {speed:.1}×"));
    }
    let remaining = shown.planned_at.and_then(|planned| tracker.remaining(planned.elapsed()));
    if let Some(remaining) = remaining.filter(|_| tracker.is_planned()) {
        message.push_str(&format!("  {} left", clock(remaining)));
    }
    message
}

/// A length of time as people read it: `0:32`, `12:05`, `2:03:10`.
fn clock(length: Duration) -> String {
    let seconds = length.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_as_on_a_clock() {
        for (seconds, text) in [(0, "0:00"), (32, "0:32"), (725, "12:05"), (7390, "2:03:10")] {
            assert_eq!(clock(Duration::from_secs(seconds)), text);
        }
    }
}
