//! Titles that are made anew with another ladder: after everything else, and without a date.
//!
//! Promises: what is online stays so until the new version is whole; a recode that was stopped, failed or is under way with
//! another ladder can be recoded like a title that is online; one that is on its way as it is wanted is left alone.

use reelfarm_model::recipe::ToolVersions;
use reelfarm_model::title::{LadderText, Submission};
use reelfarm_model::{ContentKind, Facts, Failure, Title, TitleId, TitleState};

use crate::commands::wrong_state;
use crate::service::Scheduler;

/// What recoding a title comes to.
#[derive(Clone, Debug)]
pub enum Recoding {
    /// It is to be submitted so.
    Submit(Box<Submission>),
    /// It was, and is on its way.
    Stands(Box<Title>),
}

impl Recoding {
    /// Whether a title is online, or was when it was recoded before.
    pub fn is_open_to(title: &Title) -> bool {
        match title.state {
            TitleState::Withdrawing => false,
            TitleState::Published => true,
            _ => title.submission.facts.kind == ContentKind::Recode,
        }
    }

    /// That of a title with this ladder and by these tools.
    ///
    /// # Errors
    /// It is not online.
    pub fn of(title: Title, ladder: LadderText, tools: ToolVersions) -> Result<Self, Failure> {
        use TitleState::{Checking, Preparing, Review};
        let submission = &title.submission;
        if !Self::is_open_to(&title) {
            let what =
                "recoded, which is for titles that are online; `reelfarm submit` with --ladder makes others";
            return Err(wrong_state(&title, what));
        }
        let is_wanted = submission.ladder.text == ladder.text && submission.tools == tools;
        if is_wanted && matches!(title.state, Checking | Preparing | Review) {
            return Ok(Self::Stands(Box::new(title)));
        }
        let facts = Facts {
            kind: ContentKind::Recode,
            route: submission.facts.route.clone(),
            requester: submission.facts.requester.clone(),
            ..Facts::default()
        };
        Ok(Self::Submit(Box::new(Submission { facts, ladder, tools, ..title.submission })))
    }
}

impl Scheduler {
    /// What recoding a title comes to, as it stands now.
    pub(crate) async fn recoded(
        &self,
        title: &TitleId,
        ladder: LadderText,
        tools: ToolVersions,
    ) -> Result<Recoding, Failure> {
        Recoding::of(self.known_title(title).await?, ladder, tools)
    }
}
