//! How urgent a task is at a moment, and when that changes.
//!
//! A task's laxity is the time until its title is due, less its *tail*: what is left of the title's critical path from the
//! task's start. It runs out at the task's *latest start*, which is fixed: as time goes by, only the band that a task is in
//! changes, twice at most.
//!
//! Within a band titles are in order, not tasks. By the laxity of each task, titles that are due at one time would take
//! turns, and where there is too little room for all of them, none would be in time (measured: docs/scheduling.md).

use reelfarm_model::facts::{ContentKind, Part};

use crate::queue::TitleOrder;
use crate::rules::{MINUTE_MS, Rules};

/// How urgent a task is, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Band {
    /// A person spent one of the route's expedites on its title. In the order of that.
    Expedited,
    /// Its laxity is below the margin. In the order of what must not be missed: the deadline, or the latest start of a title
    /// whose deadline is hard; of those that are equal, the shortest title first.
    Pressed,
    /// It cannot be on time any more; one whose deadline is hard, when that passed longer ago than the margin. In the order of
    /// the deadlines.
    Late,
    /// It has time. In the order in which the titles must begin, and so that one finishes before the next begins.
    Comfortable,
    /// It has no deadline. In the order of submission.
    Undated,
    /// A recode: only where nothing else can use the slot.
    Recode,
}

impl Band {
    /// Whether its tasks may use slots beyond a route's share before those of other routes have filled theirs with what
    /// can wait.
    pub(crate) const fn is_urgent(self) -> bool {
        matches!(self, Self::Expedited | Self::Pressed)
    }
}

/// Where a task stands at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Urgency {
    pub(crate) band: Band,
    /// Orders within the band, the earliest first.
    pub(crate) moment_ms: i64,
    /// Orders where that is equal, the smallest first.
    pub(crate) then_ms: i64,
    /// When the band changes.
    pub(crate) changes_ms: Option<i64>,
}

/// A title is taken for late once less than this part of a task's tail is left, in quarters: estimates are not exact, and
/// one that is given up too early is late for certain.
const HOPELESS_QUARTERS: i64 = 3;

/// The urgency of a task that this part of a title needs, with this tail, at a moment.
pub(crate) fn urgency(rules: &Rules, title: &TitleOrder, part: Part, tail_ms: i64, now_ms: i64) -> Urgency {
    let then_ms = title.submitted_ms;
    let lasting = |band, moment_ms| Urgency { band, moment_ms, then_ms, changes_ms: None };
    if title.kind == ContentKind::Recode {
        return lasting(Band::Recode, title.submitted_ms);
    }
    // The deadline and an expedite are for what goes first: the rest presses nobody.
    let expedited_ms = title.expedited_ms.filter(|_| part != Part::Rest);
    if let Some(since_ms) = expedited_ms {
        return lasting(Band::Expedited, since_ms);
    }
    let Some(due_ms) = title.required_by_ms else { return lasting(Band::Undated, title.submitted_ms) };
    let hard = rules.kind(title.kind).hard;
    let must_begin_ms = due_ms - title.path_ms;
    if part == Part::Rest {
        return lasting(Band::Comfortable, must_begin_ms);
    }
    let margin_ms = i64::from(rules.margin_min) * MINUTE_MS;
    let pressed_ms = due_ms - tail_ms - margin_ms;
    let hopeless_ms = if hard { due_ms + margin_ms } else { due_ms - tail_ms / 4 * HOPELESS_QUARTERS };
    if now_ms < pressed_ms {
        Urgency { band: Band::Comfortable, moment_ms: must_begin_ms, then_ms, changes_ms: Some(pressed_ms) }
    } else if now_ms < hopeless_ms {
        let moment_ms = if hard { must_begin_ms } else { due_ms };
        Urgency { band: Band::Pressed, moment_ms, then_ms: title.path_ms, changes_ms: Some(hopeless_ms) }
    } else {
        lasting(Band::Late, due_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        Rules::parse("order.toml", crate::rules::BUILT_IN).unwrap()
    }

    fn title(kind: ContentKind, required_by_min: Option<i64>) -> TitleOrder {
        TitleOrder {
            route: 0,
            kind,
            submitted_ms: 5,
            required_by_ms: required_by_min.map(|minutes| minutes * MINUTE_MS),
            path_ms: 40 * MINUTE_MS,
            expedited_ms: None,
        }
    }

    #[test]
    fn a_soft_deadline_presses_and_is_given_up_when_it_cannot_be_met() {
        let title = title(ContentKind::CatchUp, Some(300));
        // Tail 30: it must begin by 270, is pressed from 210, and hopeless from 277.5.
        for (minute, band, moment, changes) in [
            (209, Band::Comfortable, 260, Some(210 * MINUTE_MS)),
            (210, Band::Pressed, 300, Some(277 * MINUTE_MS + 30_000)),
            (277, Band::Pressed, 300, Some(277 * MINUTE_MS + 30_000)),
            (278, Band::Late, 300, None),
        ] {
            let urgency = urgency(&rules(), &title, Part::Whole, 30 * MINUTE_MS, minute * MINUTE_MS);
            assert_eq!((urgency.band, urgency.moment_ms), (band, moment * MINUTE_MS), "{minute}");
            assert_eq!(urgency.changes_ms, changes, "{minute}");
        }
    }

    #[test]
    fn a_hard_deadline_counts_from_its_latest_start_and_is_not_given_up_until_it_is_long_past() {
        let title = title(ContentKind::Premiere, Some(300));
        let at = |minute: i64| urgency(&rules(), &title, Part::Whole, 40 * MINUTE_MS, minute * MINUTE_MS);
        let expected = Urgency {
            band: Band::Pressed,
            moment_ms: 260 * MINUTE_MS,
            then_ms: 40 * MINUTE_MS,
            changes_ms: Some(360 * MINUTE_MS),
        };
        for minute in [210, 290, 359] {
            assert_eq!(at(minute), expected, "{minute}");
        }
        // A wrong year does not put a title before all that can be on time.
        assert_eq!((at(360).band, at(500_000).band), (Band::Late, Band::Late));
    }

    #[test]
    fn what_follows_on_what_goes_first_presses_nobody() {
        let title = title(ContentKind::CatchUp, Some(300));
        for minute in [0, 250, 1_000] {
            let rest = urgency(&rules(), &title, Part::Rest, 90 * MINUTE_MS, minute * MINUTE_MS);
            let expected =
                Urgency { band: Band::Comfortable, moment_ms: 260 * MINUTE_MS, then_ms: 5, changes_ms: None };
            assert_eq!(rest, expected, "{minute}");
        }
        assert_eq!(
            urgency(&rules(), &title, Part::First, 30 * MINUTE_MS, 250 * MINUTE_MS).band,
            Band::Pressed
        );
    }

    #[test]
    fn a_title_that_is_half_done_keeps_its_place() {
        for kind in [ContentKind::Premiere, ContentKind::CatchUp] {
            let title = title(kind, Some(1_000));
            let at = |tail: i64, now: i64| {
                urgency(&rules(), &title, Part::Whole, tail * MINUTE_MS, now * MINUTE_MS)
            };
            assert_eq!(at(40, 0).moment_ms, at(1, 0).moment_ms);
            assert_eq!(at(40, 950).moment_ms, at(1, 950).moment_ms);
        }
    }

    #[test]
    fn what_has_no_deadline_goes_by_submission_and_a_recode_is_always_last() {
        let mut recode = title(ContentKind::Recode, None);
        recode.expedited_ms = Some(1);
        assert_eq!(urgency(&rules(), &recode, Part::Whole, 1, 9).band, Band::Recode);
        let library = title(ContentKind::Library, None);
        let expected = Urgency { band: Band::Undated, moment_ms: 5, then_ms: 5, changes_ms: None };
        assert_eq!(urgency(&rules(), &library, Part::Whole, 1, 9), expected);
        let expedited = TitleOrder { expedited_ms: Some(7), ..library };
        assert_eq!(urgency(&rules(), &expedited, Part::Whole, 1, 9).band, Band::Expedited);
    }
}
