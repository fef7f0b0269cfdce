//! `reelfarm eta`: when titles will be online, and which of them will be late.

use chrono::{DateTime, SecondsFormat};
use clap::Args;
use reelfarm_api::{Foreseen, Prospect, Remedy, Risk, TitleForecast, TitleStatus};
use reelfarm_model::{ContentKind, Failure, RouteName};

use crate::arguments::Json;
use crate::client::FarmArguments;
use crate::config::Project;
use crate::exit::Exit;
use crate::printer::Printer;

/// `reelfarm eta`.
#[derive(Debug, Args)]
pub struct Eta {
    /// The title; without it, all that are under way, the most endangered first.
    #[arg(value_name = "TITLE")]
    pub title: Option<String>,
    /// Only titles that will be so, such as `late,at-risk`; `unserved` are those that no worker can go on with, `review` those that wait for a person.
    #[arg(long = "will-be", value_name = "RISK,…", value_delimiter = ',', value_parser = clap::builder::PossibleValuesParser::new(Prospect::ALL.map(Prospect::as_str)))]
    pub will_be: Vec<String>,
    /// Only titles of this kind.
    #[arg(long, value_name = "KIND")]
    pub kind: Option<ContentKind>,
    /// Only titles of this route.
    #[arg(long, value_name = "ROUTE")]
    pub route: Option<RouteName>,
    #[command(flatten)]
    pub farm: FarmArguments,
    #[command(flatten)]
    pub json: Json,
}

/// Shows when titles will be online.
pub async fn run(verb: Eta, printer: &Printer) -> Result<Exit, Failure> {
    let client = verb.farm.require(&Project::load()?)?;
    let mut forecasts: Vec<TitleForecast> = client.get(&["forecast"], &()).await?;
    if let Some(title) = &verb.title {
        forecasts.retain(|forecast| forecast.title.as_str() == title);
        if forecasts.is_empty() {
            // It has ended, or was submitted a moment ago, or there is none.
            let status: TitleStatus = client.get(&["titles", title], &()).await?;
            let state = status.title.state;
            if !verb.json.json {
                let then =
                    if state.is_final() { "nothing more is expected of it" } else { "ask again in a moment" };
                printer.line(&format!("{title} is {}: {then}", state.as_str()));
                return Ok(Exit::Done);
            }
        }
    }
    forecasts.retain(|forecast| {
        let prospect = forecast.foreseen.prospect().as_str();
        (verb.will_be.is_empty() || verb.will_be.iter().any(|wanted| wanted == prospect))
            && verb.kind.is_none_or(|kind| kind == forecast.kind)
            && verb.route.as_ref().is_none_or(|route| *route == forecast.route)
    });
    if verb.json.json {
        printer.json(&forecasts);
        return Ok(Exit::Done);
    }
    if forecasts.is_empty() {
        printer.line("no such title is under way");
    }
    for forecast in &forecasts {
        lines(forecast).iter().for_each(|line| printer.data(line));
    }
    Ok(Exit::Done)
}

/// A title's line, and below it what would help where it is in danger.
fn lines(forecast: &TitleForecast) -> Vec<String> {
    let TitleForecast { title, kind, required_by_ms, route, foreseen } = forecast;
    let due = required_by_ms.map_or("no deadline".to_owned(), |due| format!("due {}", time(due)));
    let outlook = match foreseen.outlook {
        Some(outlook) => {
            let first = outlook.first_ms.map(|first| format!("first about {}, all ", time(first)));
            format!(
                "{:<9} {}about {}, by {} if things take long",
                outlook.risk.as_str(),
                first.unwrap_or_else(|| "online ".to_owned()),
                time(outlook.expected_ms),
                time(outlook.most_ms)
            )
        }
        None if !foreseen.unserved.is_empty() => {
            let pools = foreseen.unserved.iter().map(|pool| pool.as_str()).collect::<Vec<_>>().join(", ");
            format!("{:<9} no worker serves the pool {pools}, which it needs", "unserved")
        }
        None if foreseen.review => {
            let answer = super::review::answer(title.as_str(), None, None);
            format!("{:<9} nothing of it is made until a person decides: {answer}", "review")
        }
        None if foreseen.held => format!("{:<9} nothing of it is begun until it is released", "held"),
        None => format!("{:<9} it is new", "unknown"),
    };
    let line = format!("{:<40} {kind:<13} {outlook}; {due}; {route}", title.as_str());
    std::iter::once(line)
        .chain(foreseen.remedies.iter().map(|remedy| remedy_line(title.as_str(), remedy)))
        .collect()
}

/// What somebody could do, and what would come of it.
fn remedy_line(title: &str, remedy: &Remedy) -> String {
    let (what, outlook) = match remedy {
        Remedy::Expedite { left, outlook } => {
            (format!("reelfarm expedite {title} --why … ({left} left today)"), outlook)
        }
        Remedy::MoreSlots { pool, slots, outlook } => {
            (format!("{slots} more slots in the pool {}", pool.as_str()), outlook)
        }
        Remedy::GoFirst { profiles, up_to, outlook } => {
            let up_to = up_to.map(|lines| format!(" --first-up-to {lines}")).unwrap_or_default();
            (format!("submit it again with --first {}{up_to}", profiles.join(",")), outlook)
        }
    };
    format!("    would help: {what}: {}, about {}", outlook.risk.as_str(), time(outlook.expected_ms))
}

/// Sentences for who watches a title that is in danger.
pub fn warnings(title: &str, foreseen: &Foreseen) -> Vec<String> {
    let sentence = match foreseen.outlook {
        Some(outlook) => {
            let expected = time(outlook.first_ms.unwrap_or(outlook.expected_ms));
            match outlook.risk {
                Risk::Late => format!("{title}: it will be late: online about {expected} as things stand"),
                Risk::AtRisk => format!("{title}: it may be late: online about {expected} as things stand"),
                Risk::OnTime | Risk::Undated => return Vec::new(),
            }
        }
        None if foreseen.unserved.is_empty() => return Vec::new(),
        None => {
            let pools = foreseen.unserved.iter().map(|pool| pool.as_str()).collect::<Vec<_>>().join(", ");
            format!("{title}: no worker serves the pool {pools}, which it needs: it waits for one")
        }
    };
    let remedies = foreseen.remedies.iter().map(|remedy| remedy_line(title, remedy));
    std::iter::once(sentence).chain(remedies).collect()
}

/// A time as people and programs read it: RFC 3339, in UTC.
pub fn time(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms)
        .map_or_else(|| ms.to_string(), |time| time.to_rfc3339_opts(SecondsFormat::Secs, true))
}
