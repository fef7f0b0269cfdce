//! What a title's order follows from, and where its tasks stand in line.

use std::collections::BTreeSet;

use reelfarm_model::{ContentKind, Pool, RouteName, TaskKey, TitleId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a title's order follows from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TitleOrder {
    /// For what it is made.
    pub kind: ContentKind,
    /// Whose capacity it uses.
    pub route: RouteName,
    /// When it must be online, in milliseconds since 1970 UTC; absent where it has no deadline.
    pub required_by_ms: Option<i64>,
    /// Something about its facts that people should know, such as a route that the farm's rules do not have any more.
    pub remark: Option<String>,
    /// What is to be expected of it, where that was worked out.
    pub foreseen: Foreseen,
    /// When it was expedited, in milliseconds since 1970 UTC.
    pub expedited_ms: Option<i64>,
    /// Where those of its tasks stand that wait for a slot.
    pub tasks: Vec<TaskPlace>,
}

/// Whether a title will be on time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Risk {
    /// It is expected to be late, or is so already.
    Late,
    /// It is expected to be on time, and would be late if it and what goes before it took as long as one in ten such things does.
    AtRisk,
    /// It will be on time.
    OnTime,
    /// It has no deadline, or what had to be online by then is.
    Undated,
}

impl Risk {
    /// The name, as it serialises.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::AtRisk => "at-risk",
            Self::OnTime => "on-time",
            Self::Undated => "undated",
        }
    }
}

/// When a title will be online, in milliseconds since 1970 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Outlook {
    /// As often sooner as later.
    pub expected_ms: i64,
    /// By then if it and what goes before it take as long as one in ten such things does.
    pub most_ms: i64,
    /// When what goes first of it will be, as often sooner as later; absent where nothing does, or that is online.
    pub first_ms: Option<i64>,
    /// Whether it will be on time; where something goes first, whether that will be.
    pub risk: Risk,
}

/// What is to be expected of a title.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Foreseen {
    /// When it will be online; absent where that cannot be said, because it is held or new, waits for a person's decision, or
    /// no worker serves a pool that it needs.
    pub outlook: Option<Outlook>,
    /// Whether it is held, so that nothing is expected of it.
    pub held: bool,
    /// Whether it waits for a person's decision, so that nothing is expected of it.
    #[serde(default)]
    pub review: bool,
    /// Pools that it needs and no worker serves.
    pub unserved: BTreeSet<Pool>,
    /// What would keep it from being late, where it is about to be: each with what would come of it alone.
    pub remedies: Vec<Remedy>,
}

impl Foreseen {
    /// In a word.
    pub fn prospect(&self) -> Prospect {
        match self.outlook {
            Some(Outlook { risk: Risk::Late, .. }) => Prospect::Late,
            Some(Outlook { risk: Risk::AtRisk, .. }) => Prospect::AtRisk,
            Some(Outlook { risk: Risk::OnTime, .. }) => Prospect::OnTime,
            Some(Outlook { risk: Risk::Undated, .. }) => Prospect::Undated,
            None if self.review => Prospect::Review,
            None if self.held => Prospect::Held,
            None if self.unserved.is_empty() => Prospect::Unknown,
            None => Prospect::Unserved,
        }
    }
}

/// What is to be expected of a title, in a word: what people filter by and metrics count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Prospect {
    /// See [`Risk::Late`].
    Late,
    /// No worker serves a pool that it needs.
    Unserved,
    /// See [`Risk::AtRisk`].
    AtRisk,
    /// It waits for a person's decision.
    Review,
    /// It is held.
    Held,
    /// It is new.
    Unknown,
    /// See [`Risk::OnTime`].
    OnTime,
    /// See [`Risk::Undated`].
    Undated,
}

impl Prospect {
    /// Every prospect, the worst first.
    pub const ALL: [Prospect; 8] = [
        Self::Late,
        Self::Unserved,
        Self::AtRisk,
        Self::Review,
        Self::Held,
        Self::Unknown,
        Self::OnTime,
        Self::Undated,
    ];

    /// The name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::Unserved => "unserved",
            Self::AtRisk => "at-risk",
            Self::Review => "review",
            Self::Held => "held",
            Self::Unknown => "unknown",
            Self::OnTime => "on-time",
            Self::Undated => "undated",
        }
    }

    /// Whether somebody should do something.
    pub const fn is_bad(self) -> bool {
        matches!(self, Self::Late | Self::Unserved | Self::AtRisk)
    }
}

/// Something that somebody could do for a title.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "remedy", rename_all = "kebab-case")]
pub enum Remedy {
    /// Expedite it.
    Expedite {
        /// How many titles its route may expedite yet today.
        left: u32,
        /// What would come of it.
        outlook: Outlook,
    },
    /// Give a pool more slots: start workers, or lend some that others do not need.
    MoreSlots {
        /// The pool.
        pool: Pool,
        /// So many more.
        slots: u32,
        /// What would come of it.
        outlook: Outlook,
    },
    /// Submit it again so that a few profiles go first.
    GoFirst {
        /// Which, by id.
        profiles: Vec<String>,
        /// The largest picture of what would go first, by its height in lines; absent where all rungs would.
        up_to: Option<u32>,
        /// What would come of it: when those would be online.
        outlook: Outlook,
    },
}

/// A wish that a title go before all others of its route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpediteRequest {
    /// Why, on one line, for those who read it later.
    #[schema(min_length = 1, max_length = 200)]
    pub why: String,
    /// Only answer what would come of it.
    #[serde(default)]
    pub dry_run: bool,
}

/// What came of it, or would.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExpediteAnswer {
    /// The title.
    pub title: TitleId,
    /// Whether it was done: not for a dry run, and not for a title that was expedited before, which costs nothing.
    pub done: bool,
    /// The route that pays for it.
    pub route: RouteName,
    /// How many titles it may expedite a day (UTC).
    pub per_day: u32,
    /// How many it has expedited today, this one included where it was done.
    pub used: u32,
    /// What was to be expected of the title.
    pub before: Option<Outlook>,
    /// What is to be expected of it now.
    pub after: Option<Outlook>,
    /// The titles that are online later for it, those first that are in danger; no more than a hundred.
    pub pushed_back: Vec<PushedBack>,
    /// How many there are beyond these.
    pub pushed_back_others: u64,
}

/// A title that is online later because another goes before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PushedBack {
    /// The title.
    pub title: TitleId,
    /// When it must be online, in milliseconds since 1970 UTC.
    pub required_by_ms: Option<i64>,
    /// What was to be expected of it.
    pub before: Outlook,
    /// What is now.
    pub after: Outlook,
}

/// A title that was expedited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExpediteRecord {
    /// The title.
    pub title: TitleId,
    /// When, in milliseconds since 1970 UTC.
    pub expedited_ms: i64,
    /// The route that paid for it.
    pub route: String,
    /// Who asked.
    pub requester: Option<String>,
    /// Why.
    pub why: String,
}

/// A title that is under way, and when it will be online.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TitleForecast {
    /// The title.
    pub title: TitleId,
    /// For what it is made.
    pub kind: ContentKind,
    /// When it must be online, in milliseconds since 1970 UTC; absent where it has no deadline.
    pub required_by_ms: Option<i64>,
    /// Whose capacity it uses.
    pub route: RouteName,
    /// What is to be expected of it.
    pub foreseen: Foreseen,
}

/// How urgent a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Urgency {
    /// Its title was expedited.
    Expedited,
    /// Its title is short of time.
    Pressed,
    /// Its title cannot be on time any more.
    Late,
    /// Its title has time.
    Comfortable,
    /// Its title has no deadline.
    Undated,
    /// It is made again with what capacity is left over.
    Recode,
}

impl Urgency {
    /// The name, as it serialises.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expedited => "expedited",
            Self::Pressed => "pressed",
            Self::Late => "late",
            Self::Comfortable => "comfortable",
            Self::Undated => "undated",
            Self::Recode => "recode",
        }
    }
}

/// Where a task stands that waits for a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TaskPlace {
    /// The task.
    pub task: TaskKey,
    /// How urgent it is.
    pub urgency: Urgency,
    /// Tasks of its route that go before it; no more than a thousand are counted.
    pub before: u32,
}
