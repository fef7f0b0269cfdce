//! The rules: when each kind of title is due, and whose the capacity is. A file that people edit; what is wrong in it is
//! refused with its line.

use std::collections::BTreeMap;
use std::ops::Range;

use reelfarm_model::Pool;
use reelfarm_model::facts::{ContentKind, RouteName};
use serde::Deserialize;
use toml::Spanned;

/// The rules that come with the program, as the text of their file.
pub const BUILT_IN: &str = include_str!("../../../ladders/order.toml");
/// Milliseconds of a minute.
pub(crate) const MINUTE_MS: i64 = 60_000;
/// No rule speaks of more minutes than a year has: what does is a slip of the unit.
const MAX_MINUTES: u32 = 366 * 24 * 60;
/// Nor of more slots than any farm has.
const MAX_MINIMUM: u32 = 1_000_000;

/// What order follows from, beside the titles' facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// A title with less laxity than this (minutes) is pressed.
    pub margin_min: u32,
    /// One start in so many, of a pool, goes to the oldest title that is beyond its kind's patience, as long as there is one.
    pub patience_turn: u32,
    /// The departments. At least one; the first is that of titles that name none. Their shares are 100 together.
    pub routes: Vec<Route>,
    kinds: BTreeMap<ContentKind, KindRule>,
}

/// What holds for titles of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KindRule {
    /// From what its deadline follows.
    pub due: DueRule,
    /// How far from that, in minutes. Nothing where it is never due.
    #[serde(default)]
    pub minutes: u32,
    /// Whether a deadline that cannot be met any more keeps its place before those that can. Others go behind them.
    #[serde(default)]
    pub hard: bool,
    /// How long a title may be under way, in minutes, before its tasks get their turns whatever else there is.
    pub patience_min: u32,
}

/// From what the deadline of a kind follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DueRule {
    /// So many minutes before its broadcast, which must be known.
    BeforeAir,
    /// So many minutes after its submission, or after its broadcast where that is later.
    AfterArrival,
    /// There is none.
    Never,
}

/// Capacity that is one department's.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Its name.
    pub name: RouteName,
    /// Its share of each pool's slots, in percent.
    pub share_percent: u32,
    /// Slots that it always has while it has work, by pool.
    #[serde(default)]
    pub minimum: BTreeMap<Pool, u32>,
    /// How many titles a day may be expedited.
    #[serde(default)]
    pub expedites_per_day: u32,
}

impl Route {
    /// Slots of a pool that it always has while it has work.
    pub fn minimum(&self, pool: Pool) -> u32 {
        self.minimum.get(&pool).copied().unwrap_or(0)
    }
}

/// A file of rules that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}, line {line}: {reason}")]
pub struct RulesError {
    /// The file.
    pub file: String,
    /// The line of the fault.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    margin_min: Spanned<u32>,
    patience_turn: Spanned<u32>,
    kind: Spanned<BTreeMap<ContentKind, Spanned<KindRule>>>,
    route: Spanned<Vec<Spanned<Route>>>,
}

impl Rules {
    /// Reads rules from TOML. `file` is only for the error.
    ///
    /// # Errors
    /// The first fault of the file, with its line.
    pub fn parse(file: &str, text: &str) -> Result<Self, RulesError> {
        let refuse = |span: Range<usize>, reason: String| RulesError {
            file: file.to_owned(),
            line: 1 + text[..span.start.min(text.len())].matches('\n').count(),
            reason,
        };
        let parsed: File = toml::from_str(text)
            .map_err(|error| refuse(error.span().unwrap_or_default(), error.message().to_owned()))?;
        if let Some((span, reason)) = parsed.fault() {
            return Err(refuse(span, reason));
        }
        Ok(Self {
            margin_min: parsed.margin_min.into_inner(),
            patience_turn: parsed.patience_turn.into_inner(),
            routes: parsed.route.into_inner().into_iter().map(Spanned::into_inner).collect(),
            kinds: parsed
                .kind
                .into_inner()
                .into_iter()
                .map(|(kind, rule)| (kind, rule.into_inner()))
                .collect(),
        })
    }

    /// The same rules with other routes. `file` is only for the error.
    ///
    /// # Errors
    /// They cannot be the routes of a farm.
    pub fn with_routes(&self, file: &str, routes: Vec<Route>) -> Result<Self, RulesError> {
        let fault = routes.iter().enumerate().find_map(|(place, route)| route.fault(&routes[..place]));
        match fault.or_else(|| shares_fault(&routes)) {
            Some(reason) => Err(RulesError { file: file.to_owned(), line: 1, reason }),
            None => Ok(Self { routes, ..self.clone() }),
        }
    }

    /// The rule for titles of a kind.
    pub fn kind(&self, kind: ContentKind) -> &KindRule {
        // Every kind has its rule, or the file was refused.
        &self.kinds[&kind]
    }

    /// The place of a route in [`routes`](Self::routes); the first where none is named, `None` where it does not exist.
    pub fn route(&self, name: Option<&RouteName>) -> Option<usize> {
        name.map_or(Some(0), |name| self.routes.iter().position(|route| route.name == *name))
    }

    /// The pools in which routes were promised more slots than there are, with the slots that are needed to keep the promises:
    /// where some route has no minimum, one for it beside those that the others have.
    pub fn promised_beyond(&self, slots: &BTreeMap<Pool, u32>) -> Vec<(Pool, u32)> {
        let needed = |pool: Pool| {
            let promised: u32 = self.routes.iter().map(|route| route.minimum(pool)).sum();
            let has_none = |route: &Route| route.minimum(pool) == 0;
            promised + u32::from(promised > 0 && self.routes.iter().any(has_none))
        };
        let all = Pool::ALL.into_iter().map(|pool| (pool, needed(pool)));
        all.filter(|(pool, needed)| *needed > slots.get(pool).copied().unwrap_or(0)).collect()
    }
}

impl File {
    fn fault(&self) -> Option<(Range<usize>, String)> {
        self.numbers().or_else(|| self.kinds()).or_else(|| self.routes())
    }

    fn numbers(&self) -> Option<(Range<usize>, String)> {
        if *self.margin_min.get_ref() > MAX_MINUTES {
            return Some((self.margin_min.span(), "margin_min is more than a year".to_owned()));
        }
        (*self.patience_turn.get_ref() < 2).then(|| {
            let reason =
                "patience_turn is at least 2: with 1, what is due would never go before what has waited long";
            (self.patience_turn.span(), reason.to_owned())
        })
    }

    fn kinds(&self) -> Option<(Range<usize>, String)> {
        let kinds = self.kind.get_ref();
        if let Some(kind) = ContentKind::ALL.into_iter().find(|kind| !kinds.contains_key(kind)) {
            return Some((self.kind.span(), format!("[kind.{kind}] is missing: every kind has its rule")));
        }
        kinds.iter().find_map(|(kind, rule)| Some((rule.span(), rule.get_ref().fault(*kind)?)))
    }

    fn routes(&self) -> Option<(Range<usize>, String)> {
        let routes: Vec<Route> = self.route.get_ref().iter().map(|route| route.get_ref().clone()).collect();
        let of_one = routes
            .iter()
            .enumerate()
            .find_map(|(place, route)| Some((place, route.fault(&routes[..place])?)));
        match of_one {
            Some((place, reason)) => Some((self.route.get_ref()[place].span(), reason)),
            None => shares_fault(&routes).map(|reason| (self.route.span(), reason)),
        }
    }
}

impl Route {
    /// What is wrong with a route that comes after `before`.
    fn fault(&self, before: &[Self]) -> Option<String> {
        let Self { name, share_percent, .. } = self;
        if before.iter().any(|other| other.name == *name) {
            return Some(format!("two routes are called {name}"));
        }
        if let Some((pool, minimum)) = self.minimum.iter().find(|(_, minimum)| **minimum > MAX_MINIMUM) {
            let pool = pool.as_str();
            return Some(format!("no farm has {minimum} slots of {pool}, the minimum of {name}"));
        }
        (*share_percent > 100)
            .then(|| format!("the share of {name} is more than the whole: {share_percent} %"))
    }
}

fn shares_fault(routes: &[Route]) -> Option<String> {
    let together: u32 = routes.iter().map(|route| route.share_percent).sum();
    (together != 100).then(|| {
        format!("the routes' shares add up to {together} %, not to 100: change share_percent of some")
    })
}

impl KindRule {
    fn fault(&self, kind: ContentKind) -> Option<String> {
        if self.minutes > MAX_MINUTES || self.patience_min > MAX_MINUTES {
            return Some(format!("a time of [kind.{kind}] is more than a year: times are in minutes"));
        }
        let never = self.due == DueRule::Never;
        if kind == ContentKind::Recode && !never {
            return Some("a recode has no deadline: due = \"never\"".to_owned());
        }
        (never && (self.minutes > 0 || self.hard)).then(|| {
            format!("[kind.{kind}] is never due, so `minutes` and `hard` say nothing: leave them out, or give another `due`")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_rules_are_good() {
        let rules = Rules::parse("order.toml", BUILT_IN).unwrap();
        assert!(rules.kind(ContentKind::CatchForward).hard);
        assert_eq!(rules.route(None), Some(0));
        assert_eq!(rules.route(Some(&"nowhere".parse().unwrap())), None);
    }

    #[test]
    fn a_bad_file_is_refused_with_its_line_and_the_reason() {
        let routes = |text: &str| format!("{}{text}", BUILT_IN.split("[[route]]").next().unwrap());
        for (text, line, part) in [
            (
                BUILT_IN.replacen("margin_min = 60", "margin_min = 6000000", 1),
                "margin_min",
                "more than a year",
            ),
            (BUILT_IN.replacen("patience_turn = 8", "patience_turn = 1", 1), "patience_turn", "at least 2"),
            (
                BUILT_IN.replacen("[kind.recode]", "[kind.recoed]", 1),
                "[kind.recoed]",
                "unknown variant `recoed`",
            ),
            (BUILT_IN.replacen("hard = true", "hardly = true", 1), "hardly", "unknown field `hardly`"),
            (
                routes("[[route]]\nname = \"a\"\nshare_percent = 40\n"),
                "[[route]]",
                "add up to 40 %, not to 100",
            ),
            (
                routes(
                    "[[route]]\nname = \"a\"\nshare_percent = 50\n[[route]]\nname = \"a\"\nshare_percent = 50\n",
                ),
                "[[route]]",
                "two routes are called a",
            ),
            (
                routes("[[route]]\nname = \"Ads\"\nshare_percent = 100\n"),
                "name = \"Ads\"",
                "begins with a letter",
            ),
            (
                routes("[[route]]\nname = \"a\"\nshare_percent = 100\nminimum = { gpus = 1 }\n"),
                "minimum",
                "unknown variant `gpus`",
            ),
            (
                routes("[[route]]\nname = \"a\"\nshare_percent = 100\nminimum = { cpu = 4294967295 }\n"),
                "[[route]]",
                "no farm has 4294967295 slots of cpu",
            ),
        ] {
            let error = Rules::parse("order.toml", &text).unwrap_err();
            assert!(error.reason.contains(part), "{error}");
            let named = text.lines().nth(error.line - 1).unwrap_or_default();
            assert!(
                named.contains(line) || text.lines().skip(error.line - 1).any(|l| l.contains(line)),
                "{error}"
            );
        }
    }

    #[test]
    fn a_recode_has_no_deadline_and_what_is_never_due_has_no_minutes() {
        let rule = |due, minutes, hard| KindRule { due, minutes, hard, patience_min: 1 };
        assert!(rule(DueRule::AfterArrival, 1, false).fault(ContentKind::Recode).is_some());
        assert!(rule(DueRule::Never, 1, false).fault(ContentKind::Library).is_some());
        assert!(rule(DueRule::Never, 0, true).fault(ContentKind::Library).is_some());
        assert!(rule(DueRule::Never, 0, false).fault(ContentKind::Recode).is_none());
        assert!(rule(DueRule::BeforeAir, MAX_MINUTES + 1, true).fault(ContentKind::Premiere).is_some());
    }

    #[test]
    fn more_promises_than_slots_are_noticed() {
        let text = format!(
            "{}[[route]]\nname = \"a\"\nshare_percent = 50\nminimum = {{ cpu = 2 }}\n\
             [[route]]\nname = \"b\"\nshare_percent = 50\nminimum = {{ cpu = 1, light = 1 }}\n",
            BUILT_IN.split("[[route]]").next().unwrap()
        );
        let rules = Rules::parse("order.toml", &text).unwrap();
        let slots = |cpu, light| BTreeMap::from([(Pool::Cpu, cpu), (Pool::Light, light)]);
        assert_eq!(rules.promised_beyond(&slots(3, 2)), []);
        assert_eq!(rules.promised_beyond(&slots(3, 1)), [(Pool::Light, 2)], "nothing would be left for a");
        assert_eq!(rules.promised_beyond(&slots(2, 0)), [(Pool::Cpu, 3), (Pool::Light, 2)]);
    }
}
