//! When a title must be online: from its facts and the rules.

use chrono::{DateTime, Utc};
use reelfarm_model::facts::{ContentKind, Facts};

use crate::rules::{DueRule, MINUTE_MS, Rules};

/// When a title must be online.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// In milliseconds since 1970 UTC; `None` where it has no deadline.
    pub required_by_ms: Option<i64>,
    /// Whether that had passed when the title was submitted: it is made, and it is late.
    pub past: bool,
}

/// Facts of which not all can be true.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// A kind whose deadline follows from the broadcast, without one.
    #[error(
        "a title of kind {0} needs the time of its broadcast (--air-at) or the time by which it is required (--required-by)"
    )]
    NoAirTime(ContentKind),
    /// Online before its broadcast, and required after it.
    #[error(
        "a title of kind {kind} must be online before its broadcast at {air_at}, and is required by {required_by}, which is later"
    )]
    RequiredAfterAir {
        /// Its kind.
        kind: ContentKind,
        /// Its broadcast.
        air_at: DateTime<Utc>,
        /// What was given.
        required_by: DateTime<Utc>,
    },
    /// It can only come after the broadcast.
    #[error(
        "a catch-up title arrives when its broadcast ends at {air_at}, and is required by {required_by}, which is earlier"
    )]
    RequiredBeforeEnd {
        /// The end of its broadcast.
        air_at: DateTime<Utc>,
        /// What was given.
        required_by: DateTime<Utc>,
    },
    /// A recode with a date.
    #[error(
        "a recode has no deadline and never delays another title: leave out its times, or submit it as another kind"
    )]
    DatedRecode,
    /// The route does not exist.
    #[error("no route is called {name}: there are {known}")]
    UnknownRoute {
        /// What was given.
        name: String,
        /// What there is.
        known: String,
    },
    /// A profile that goes first is none of those that are made.
    #[error("{0} is to go first and is none of the title's profiles")]
    FirstIsNotMade(String),
    /// The size of what goes first, and nothing does.
    #[error(
        "it is said how large the picture is of what goes first (--first-up-to), and no profile goes first (--first)"
    )]
    NothingGoesFirst,
}

/// When a title with these facts, submitted at `submitted_ms`, must be online. `profiles` are those that it is made in.
///
/// # Errors
/// Not all of the facts can be true, or they name what does not exist.
pub fn due(
    rules: &Rules,
    facts: &Facts,
    profiles: &[String],
    submitted_ms: i64,
) -> Result<Due, Contradiction> {
    if let Some(name) = facts.route.as_ref().filter(|name| rules.route(Some(name)).is_none()) {
        let known: Vec<_> = rules.routes.iter().map(|route| route.name.as_str()).collect();
        return Err(Contradiction::UnknownRoute { name: name.to_string(), known: known.join(", ") });
    }
    if let Some(profile) = facts.first.iter().find(|profile| !profiles.contains(profile)) {
        return Err(Contradiction::FirstIsNotMade(profile.clone()));
    }
    if facts.first.is_empty() && facts.first_up_to.is_some() {
        return Err(Contradiction::NothingGoesFirst);
    }
    let required_by_ms = required_by(rules, facts, submitted_ms)?;
    Ok(Due { required_by_ms, past: required_by_ms.is_some_and(|due| due <= submitted_ms) })
}

fn required_by(rules: &Rules, facts: &Facts, submitted_ms: i64) -> Result<Option<i64>, Contradiction> {
    let kind = facts.kind;
    let rule = rules.kind(kind);
    let minutes = i64::from(rule.minutes) * MINUTE_MS;
    if kind == ContentKind::Recode {
        let dated = facts.air_at.is_some() || facts.required_by.is_some();
        return if dated { Err(Contradiction::DatedRecode) } else { Ok(None) };
    }
    if let (Some(air_at), Some(required_by)) = (facts.air_at, facts.required_by) {
        if rule.due == DueRule::BeforeAir && required_by > air_at {
            return Err(Contradiction::RequiredAfterAir { kind, air_at, required_by });
        }
        if kind == ContentKind::CatchUp && required_by < air_at {
            return Err(Contradiction::RequiredBeforeEnd { air_at, required_by });
        }
    }
    if let Some(given) = facts.required_by {
        return Ok(Some(given.timestamp_millis()));
    }
    let air_ms = facts.air_at.map(|air_at| air_at.timestamp_millis());
    match rule.due {
        DueRule::BeforeAir => air_ms.map(|air| Some(air - minutes)).ok_or(Contradiction::NoAirTime(kind)),
        DueRule::AfterArrival => Ok(Some(air_ms.unwrap_or(submitted_ms).max(submitted_ms) + minutes)),
        DueRule::Never => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000 * MINUTE_MS;

    fn rules() -> Rules {
        Rules::parse("order.toml", crate::rules::BUILT_IN).unwrap()
    }

    fn at(minutes: i64) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_millis(NOW + minutes * MINUTE_MS)
    }

    fn facts(kind: ContentKind, air: Option<i64>, required: Option<i64>) -> Facts {
        Facts { kind, air_at: air.and_then(at), required_by: required.and_then(at), ..Facts::default() }
    }

    #[test]
    fn the_deadline_follows_from_kind_and_broadcast_unless_it_is_given() {
        use ContentKind as K;
        for (kind, air, required, expected) in [
            (K::CatchForward, Some(120), None, Some(110)),
            (K::CatchForward, Some(120), Some(30), Some(30)),
            (K::CatchForward, None, Some(30), Some(30)),
            (K::Premiere, Some(120), None, Some(60)),
            (K::CatchUp, None, None, Some(30)),
            (K::CatchUp, Some(-60), None, Some(30)),
            (K::CatchUp, Some(45), None, Some(75)),
            (K::Advertisement, None, None, Some(30)),
            (K::Library, None, None, None),
            (K::Library, Some(500), None, None),
            (K::Library, None, Some(500), Some(500)),
            (K::Recode, None, None, None),
        ] {
            let due = due(&rules(), &facts(kind, air, required), &[], NOW).unwrap();
            let expected = expected.map(|minutes| NOW + minutes * MINUTE_MS);
            assert_eq!(due, Due { required_by_ms: expected, past: false }, "{kind} {air:?} {required:?}");
        }
    }

    #[test]
    fn a_broadcast_in_the_past_is_no_mistake_and_makes_the_title_late() {
        let due = due(&rules(), &facts(ContentKind::CatchForward, Some(-5), None), &[], NOW).unwrap();
        assert!(due.past);
        assert_eq!(due.required_by_ms, Some(NOW - 15 * MINUTE_MS));
    }

    #[test]
    fn contradictions_are_refused() {
        use ContentKind as K;
        let refused = |facts: &Facts| due(&rules(), facts, &["made".to_owned()], NOW).unwrap_err();
        assert_eq!(refused(&facts(K::Premiere, None, None)), Contradiction::NoAirTime(K::Premiere));
        let later = facts(K::CatchForward, Some(10), Some(11));
        assert!(matches!(refused(&later), Contradiction::RequiredAfterAir { .. }));
        let earlier = facts(K::CatchUp, Some(10), Some(9));
        assert!(matches!(refused(&earlier), Contradiction::RequiredBeforeEnd { .. }));
        assert_eq!(refused(&facts(K::Recode, Some(10), None)), Contradiction::DatedRecode);
        assert_eq!(refused(&facts(K::Recode, None, Some(10))), Contradiction::DatedRecode);
        let elsewhere = Facts { route: Some("nowhere".parse().unwrap()), ..Facts::default() };
        assert_eq!(refused(&elsewhere).to_string(), "no route is called nowhere: there are main");
        let first = Facts { first: vec!["made".into(), "not-made".into()], ..Facts::default() };
        assert_eq!(refused(&first), Contradiction::FirstIsNotMade("not-made".into()));
    }
}
