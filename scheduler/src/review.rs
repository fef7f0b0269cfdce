//! Titles that QC leaves to people, and what comes of what these decide.
//!
//! ```text
//!  checking ──QC asks, nobody has decided──▶ review ──approved, or judged anew──▶ checking ──▶ preparing
//!      │                                       │                                     │            │
//!      └──a rejection holds──▶ rejected ◀──────┴───────rejected──────────────────────┴────────────┘
//!                                 └──approved after all──▶ checking, as a new submission
//! ```
//!
//! Promises: somebody is asked once what else is checked of the delivery is in order, and once for each question: a decision
//! holds for every later submission of the same bytes under the same policy ([`reelfarm_model::review`]). To decide the same
//! twice is to decide once.

use reelfarm_model::qc::Verdict;
use reelfarm_model::review::{in_force, questions, rejection};
use reelfarm_model::{
    Code, Decision, Digest, Failure, Fence, QcReport, ReviewRecord, Title, TitleId, TitleState,
};
use reelfarm_store::{Reviewed, Ruling, Store, StoreError, TitleChange};

use crate::commands::wrong_state;
use crate::event::FarmEvent;
use crate::facts::{LONGEST_LINE, is_line};
use crate::reconcile::{Step, has_touched_origin, over};
use crate::service::{Scheduler, SchedulerError};

/// What somebody decides about a title.
#[derive(Clone, Debug)]
pub struct DecisionWish {
    /// What is decided.
    pub decision: Decision,
    /// Why; a rejection says so.
    pub why: Option<String>,
    /// When it was asked what is decided here, where whoever decides knows: something else may be asked by now.
    pub asked_ms: Option<i64>,
    /// Who decides.
    pub reviewer: Option<String>,
}

/// A title after a decision.
#[derive(Clone, Debug)]
pub struct Decided {
    /// The title as it stands now.
    pub title: Title,
    /// Attempts that nobody wants any more: tell their workers to stop.
    pub stopped: Vec<Fence>,
    /// Whether this was decided now; otherwise it was before, and nothing was changed.
    pub is_new: bool,
}

/// What becomes of a title by what people decided.
pub(crate) enum Ruled {
    /// QC leaves nothing to people.
    Unasked,
    /// Somebody has to be asked.
    Open,
    /// Somebody approved it.
    Approved,
    /// Somebody rejected it.
    Rejected(Failure),
}

/// What a title was left to people for.
struct Asked {
    source: Digest,
    policy: Digest,
    report: QcReport,
}

impl Asked {
    /// `None` where QC did not leave the title to people.
    fn of(title: &Title) -> Option<Self> {
        let policy = title.review?.policy_digest;
        Some(Self { source: title.source_digest?, policy, report: title.report.clone()? })
    }

    fn in_force<'a>(&self, records: &'a [ReviewRecord]) -> Option<&'a ReviewRecord> {
        in_force(records, self.source, self.policy, &questions(&self.report))
    }

    fn ruling(self, wish: DecisionWish) -> Ruling {
        Ruling {
            reviewer: wish.reviewer,
            why: wish.why,
            source_digest: self.source,
            questions: questions(&self.report),
            policy: self.report.policy,
            policy_digest: self.policy,
        }
    }
}

/// Whether a decision changes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    /// It is taken.
    Taken,
    /// It was taken before, and holds.
    Stands,
}

/// What a decision comes to for a title in this state, of which this one is in force; `None` where none can be taken.
const fn effect(state: TitleState, in_force: Option<Decision>, decision: Decision) -> Option<Effect> {
    use Decision::{Approved, Rejected as Refused};
    use TitleState::{Checking, Preparing, Published, Rejected, Review, Withdrawing};
    match (state, in_force, decision) {
        // A mistake can be mended: what was rejected may be approved, and what is not online yet rejected after all.
        (Review, _, _)
        | (Rejected, Some(Refused), Approved)
        | (Checking | Preparing, Some(Approved), Refused) => Some(Effect::Taken),
        (Checking | Preparing | Published, Some(Approved), Approved)
        | (Rejected | Withdrawing, Some(Refused), Refused) => Some(Effect::Stands),
        _ => None,
    }
}

/// Decides about a title in the store. The scheduler that leads there hears of it by [`Handle::decide`](crate::Handle::decide)
/// alone; without one, the next to start goes on with the title.
///
/// # Errors
/// There is no such title, it is in no state in which people decide about it, or something else is asked by now; a rejection
/// without a reason, or a reason of many lines; the store.
pub async fn decide(store: &dyn Store, id: &TitleId, wish: DecisionWish) -> Result<Decided, Failure> {
    check_words(&wish)?;
    let known = store.title(id).await?;
    let title = known.ok_or_else(|| Failure::new(Code::TitleNotFound, format!("no title is called {id}")))?;
    let decision = wish.decision;
    let refused = || wrong_state(&title, decision.as_str());
    if wish.asked_ms.is_some() && wish.asked_ms != title.review.and_then(|review| review.asked_ms) {
        let message =
            format!("title {id} was submitted or judged anew since: look at what is asked of it now");
        return Err(Failure::new(Code::ReviewOutdated, message));
    }
    let asked = Asked::of(&title).ok_or_else(refused)?;
    let records = store.reviews(Some(id), usize::MAX).await?;
    let in_force = asked.in_force(&records).map(|record| record.decision);
    let reviewed = match effect(title.state, in_force, decision).ok_or_else(refused)? {
        Effect::Stands => return Ok(Decided { title, stopped: Vec::new(), is_new: false }),
        Effect::Taken => match decision {
            Decision::Approved => {
                store.approve(id, title.generation, title.state, &asked.ruling(wish)).await?
            }
            Decision::Rejected => reject(store, &title, &asked.ruling(wish)).await?,
        },
    };
    let Reviewed { title, stopped } = reviewed.ok_or_else(refused)?;
    Ok(Decided { title, stopped, is_new: true })
}

fn check_words(wish: &DecisionWish) -> Result<(), Failure> {
    let invalid = |message: String| Err(Failure::new(Code::RequestInvalid, message));
    match &wish.why {
        Some(why) if !is_line(why) => invalid(format!("why has 1 to {LONGEST_LINE} characters on one line")),
        None if wish.decision == Decision::Rejected => {
            invalid("a rejection says why: the title's owner reads it".to_owned())
        }
        _ => Ok(()),
    }
}

async fn reject(store: &dyn Store, title: &Title, ruling: &Ruling) -> Result<Option<Reviewed>, StoreError> {
    let id = &title.submission.title;
    let leftovers = title.leftovers || store.tasks_of(id).await?.iter().any(has_touched_origin);
    let change = TitleChange {
        failure: Some(rejection(ruling.reviewer.as_deref(), ruling.why.as_deref())),
        ..over(TitleState::Rejected, leftovers)
    };
    store.reject(id, title.generation, title.state, ruling, change).await
}

/// Whether the latest decision about these bytes is a rejection, whatever judged them then. A report from elsewhere that asks
/// nothing does not take it back: somebody has to look again. `records` are the title's decisions, the latest first.
fn is_rejected(records: &[ReviewRecord], source: Digest) -> bool {
    let latest = records.iter().find(|record| record.source_digest == source);
    latest.is_some_and(|record| record.decision == Decision::Rejected)
}

impl Scheduler {
    /// Does with a title what a person decided.
    pub(crate) async fn decide(&mut self, id: &TitleId, wish: DecisionWish) -> Result<Title, Failure> {
        let DecisionWish { decision, why, reviewer, .. } = wish.clone();
        let Decided { title, stopped, is_new } = decide(&*self.store, id, wish).await?;
        if is_new {
            tracing::info!(title = %id, decision = decision.as_str(), reviewer, why, "a person decided");
            self.postponed.forget(id);
            self.misses_nothing(id);
            self.wants_changed(id, stopped).await;
            self.emit(FarmEvent::TitleChanged(Box::new(title.clone())));
        }
        Ok(title)
    }

    /// What people decided about the title whose source got this report, where it leaves that to them.
    pub(crate) async fn ruled(
        &self,
        title: &Title,
        source: Digest,
        report: &QcReport,
    ) -> Result<Ruled, SchedulerError> {
        let (asks, is_external) = (report.verdict == Verdict::Human, title.submission.qc_report.is_some());
        if !asks && !is_external {
            return Ok(Ruled::Unasked);
        }
        let records = self.store.reviews(Some(&title.submission.title), usize::MAX).await?;
        let record = in_force(&records, source, self.judged_by(title), &questions(report));
        Ok(match record {
            None if asks || is_rejected(&records, source) => Ruled::Open,
            None => Ruled::Unasked,
            Some(record) => match record.decision {
                Decision::Approved => Ruled::Approved,
                Decision::Rejected => Ruled::Rejected(record.failure()),
            },
        })
    }

    /// Waits for a person; a title that another policy asked about is judged anew.
    pub(crate) async fn await_decision(&mut self, title: &Title) -> Result<Step, SchedulerError> {
        if self.was_asked_about(title) {
            return Ok(Step::Wait);
        }
        let id = &title.submission.title;
        if let Some(title) = self.store.recheck(id, title.generation).await? {
            tracing::info!(title = %id, "the policy is another one: judged anew");
            self.order_outdated(id);
            self.emit(FarmEvent::TitleChanged(Box::new(title)));
        }
        Ok(Step::Again)
    }

    /// Whether somebody is asked about a title, or was, by this policy.
    pub(crate) fn was_asked_about(&self, title: &Title) -> bool {
        title.review.is_some_and(|review| review.policy_digest == self.judged_by(title))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_waits_for_a_decision_or_has_one_that_can_be_mended_is_decided() {
        use Decision::{Approved, Rejected};
        let decisions = [None, Some(Approved), Some(Rejected)];
        let with_effect = |wanted: Effect, decision: Decision| {
            let states = TitleState::ALL.into_iter();
            let pairs = states.flat_map(|state| decisions.map(|in_force| (state, in_force)));
            pairs
                .filter(|(state, in_force)| effect(*state, *in_force, decision) == Some(wanted))
                .collect::<Vec<_>>()
        };
        let review = decisions.map(|in_force| (TitleState::Review, in_force));
        let overturned = [(TitleState::Rejected, Some(Rejected))];
        assert_eq!(with_effect(Effect::Taken, Approved), [&review[..], &overturned].concat());
        assert_eq!(
            with_effect(Effect::Stands, Approved),
            [TitleState::Checking, TitleState::Preparing, TitleState::Published]
                .map(|state| (state, Some(Approved)))
        );
        assert_eq!(
            with_effect(Effect::Stands, Rejected),
            [TitleState::Withdrawing, TitleState::Rejected].map(|state| (state, Some(Rejected)))
        );
        for state in [TitleState::Checking, TitleState::Preparing] {
            assert_eq!(effect(state, Some(Approved), Rejected), Some(Effect::Taken), "{state:?}");
            assert_eq!(effect(state, None, Rejected), None, "{state:?}");
        }
        for state in [TitleState::Published, TitleState::Failed, TitleState::Cancelled] {
            assert_eq!(effect(state, Some(Approved), Rejected), None, "{state:?}");
        }
    }
}
