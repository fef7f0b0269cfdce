//! Watches the titles of a call until each has ended, or waits for a person.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use reelfarm_model::title::Submission;
use reelfarm_model::{Failure, Title, TitleId, TitleState};
use reelfarm_scheduler::FarmEvent;
use tokio::sync::broadcast::{self, error::RecvError};

use super::report::Outcome;
use crate::exit::Exit;
use crate::farm::Farm;
use crate::printer::Printer;
use crate::progress::Display;
use crate::signals::Signals;

/// Why watching ended.
pub enum End {
    /// Every title has ended, or waits for a person.
    Finished,
    /// A person or the system asked.
    Signal(Exit),
    /// The farm cannot go on.
    Broken(Failure),
}

/// The titles of a call.
pub struct Watch {
    events: broadcast::Receiver<FarmEvent>,
    display: Display,
    printer: Printer,
    waiting: BTreeMap<TitleId, (PathBuf, Title)>,
    outcomes: Vec<Outcome>,
}

impl Watch {
    /// Begins to watch. What happens from here on is seen.
    pub fn new(farm: &Farm, printer: &Printer) -> Self {
        Self {
            events: farm.handle.subscribe(),
            display: Display::new(printer),
            printer: printer.clone(),
            waiting: BTreeMap::new(),
            outcomes: Vec::new(),
        }
    }

    /// Submits a title and waits for its end from now on. Answers whether it was accepted.
    pub async fn submit(&mut self, farm: &Farm, file: PathBuf, submission: Submission) -> bool {
        let id = submission.title.clone();
        match farm.handle.submit(submission).await {
            Ok(title) => {
                self.display.add(&id);
                self.waiting.insert(id, (file, title));
                true
            }
            Err(failure) => {
                self.refuse(&file, &id, failure);
                false
            }
        }
    }

    /// Takes in that a title cannot be submitted.
    pub fn refuse(&mut self, file: &Path, title: &TitleId, failure: Failure) {
        self.printer.failure(Some(title.as_str()), &failure);
        self.outcomes.push(Outcome::refused(file, Some(title.to_string()), failure));
    }

    /// Watches until every title has ended or waits for a person, or something else ends it.
    pub async fn until_all_have_ended(&mut self, farm: &mut Farm, signals: &mut Signals) -> End {
        let end = loop {
            if self.waiting.is_empty() {
                break End::Finished;
            }
            tokio::select! {
                event = self.events.recv() => match event {
                    Ok(event) => self.on_event(event),
                    Err(RecvError::Lagged(_)) => {
                        // What was missed may be the end of a title; the store knows.
                        if let Err(failure) = self.look_again(farm).await {
                            break End::Broken(failure);
                        }
                    }
                    Err(RecvError::Closed) => break End::Broken(farm.broken().await),
                },
                exit = signals.next() => break End::Signal(exit),
                failure = farm.broken() => break End::Broken(failure),
            }
        };
        self.display.end();
        end
    }

    fn on_event(&mut self, event: FarmEvent) {
        self.display.on_event(&event);
        if let FarmEvent::TitleChanged(title) = event {
            self.on_title(*title);
        }
    }

    fn on_title(&mut self, title: Title) {
        let id = title.submission.title.clone();
        let Some((_, known)) = self.waiting.get_mut(&id) else { return };
        // An event from before this call's submission says nothing about it.
        if title.generation < known.generation {
            return;
        }
        *known = title;
        // What waits for a person waits for longer than this call.
        if !known.state.is_final() && known.state != TitleState::Review {
            return;
        }
        if let Some(failure) = &known.failure {
            self.printer.failure(Some(id.as_str()), failure);
        }
        if let Some((file, title)) = self.waiting.remove(&id) {
            self.outcomes.push(Outcome::of(&file, &title));
        }
    }

    async fn look_again(&mut self, farm: &Farm) -> Result<(), Failure> {
        for title in farm.store.titles().await? {
            self.on_title(title);
        }
        Ok(())
    }

    /// What the call came to; titles that have not ended count as interrupted.
    pub fn into_outcomes(self) -> Vec<Outcome> {
        let interrupted = self.waiting.into_values().map(|(file, title)| Outcome::of(&file, &title));
        self.outcomes.into_iter().chain(interrupted).collect()
    }
}
