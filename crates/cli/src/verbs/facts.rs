//! What is said of titles that are submitted: flags of `reelfarm submit` and `reelfarm run`.

use chrono::{DateTime, Utc};
use clap::Args;
use reelfarm_model::{ContentKind, Facts, RouteName};

/// What is true of titles, as far as their order follows from it.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "What order follows from")]
pub struct FactsArguments {
    /// For what the titles are made: catch-forward, catch-up, premiere, advertisement, library, recode [default: library].
    #[arg(long, env = "REELFARM_KIND", value_name = "KIND")]
    pub kind: Option<ContentKind>,
    /// When the broadcast begins, or ends for a catch-up title, such as 2026-11-21T20:15:00+01:00.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub air_at: Option<DateTime<Utc>>,
    /// When the titles must be online, or what goes first of them [default: what follows from kind and broadcast].
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub required_by: Option<DateTime<Utc>>,
    /// The department whose capacity they use [default: the first of the farm's rules].
    #[arg(long, env = "REELFARM_ROUTE", value_name = "ROUTE")]
    pub route: Option<RouteName>,
    /// Profiles that go first, by ids and patterns such as `hls-clr-2s,dash-clr-2s`: they are online before the others are
    /// made.
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    pub first: Vec<String>,
    /// The largest picture of what goes first, by its height: rungs above it come with the rest [default: all rungs].
    #[arg(long, value_name = "LINES", value_parser = clap::value_parser!(u32).range(1..=16_384))]
    pub first_up_to: Option<u32>,
    /// Who asks for the titles [default: the token's label].
    #[arg(long, env = "REELFARM_REQUESTER", value_name = "TEXT")]
    pub requester: Option<String>,
}

impl FactsArguments {
    /// The facts.
    pub fn facts(&self) -> Facts {
        Facts {
            kind: self.kind.unwrap_or_default(),
            air_at: self.air_at,
            required_by: self.required_by,
            route: self.route.clone(),
            first: self.first.clone(),
            first_up_to: self.first_up_to,
            requester: self.requester.clone(),
        }
    }
}

/// A time of RFC 3339, with its offset: a time without one would be another for each reader.
fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()).map_err(|error| {
        format!(
            "{error}: a time is written as 2026-11-21T20:15:00+01:00, or with Z in place of +01:00 for UTC"
        )
    })
}
