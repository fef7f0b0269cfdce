//! The report as tables for people.

use std::fmt::Write as _;

use reelfarm_model::Pool;
use reelfarm_model::facts::ContentKind;

use super::{KindReport, PolicyReport, Report};

const NAME: usize = 17;

pub(super) fn of(report: &Report) -> String {
    let mut text = format!("{}\n", report.name);
    let slots = report.slots.iter().map(|(pool, slots)| format!("{slots} {}", pool.as_str()));
    let titles = report.titles.iter().map(|(kind, titles)| format!("{titles} {kind}"));
    let _ = writeln!(text, "slots: {}; titles: {}", join(slots), join(titles));
    let dated: Vec<ContentKind> = report.could_be_on_time_percent.keys().copied().collect();
    let could =
        |kind: ContentKind| report.could_be_on_time_percent.get(&kind).map(|could| format!("{could:.1}"));
    if !dated.is_empty() {
        head(&mut text, "on time, %", &dated);
        row(&mut text, "at most", &dated, could);
        for policy in &report.policies {
            row(&mut text, policy.policy.as_str(), &dated, |kind| {
                Some(format!("{:.1}", policy.kinds.get(&kind)?.on_time_percent?))
            });
        }
        head(&mut text, "late by, min", &dated);
        quantile_rows(&mut text, report, &dated, |kind| kind.late_min);
    }
    let all: Vec<ContentKind> = report.titles.keys().copied().collect();
    head(&mut text, "online after, min", &all);
    quantile_rows(&mut text, report, &all, |kind| Some(kind.online_after_min));
    head(&mut text, "longest wait, min", &all);
    for policy in &report.policies {
        row(&mut text, policy.policy.as_str(), &all, |kind| {
            policy.longest_wait_min.get(&kind).map(|wait| format!("{wait:.1}"))
        });
    }
    farm(&mut text, report);
    text
}

fn farm(text: &mut String, report: &Report) {
    let _ = writeln!(
        text,
        "\n{:NAME$}{:>12}{:>18}{:>14}{:>22}",
        "the farm", "cpu used, %", "behind recode, min", "lost, min", "recode beyond left, %"
    );
    for policy in &report.policies {
        let PolicyReport { used_while_work_waits_percent, behind_recode_min, lost_min, .. } = policy;
        let used =
            used_while_work_waits_percent.get(&Pool::Cpu).map_or("-".to_owned(), |used| format!("{used:.1}"));
        let recode =
            policy.recode_beyond_left_percent.map_or("-".to_owned(), |beyond| format!("{beyond:.1}"));
        let _ = writeln!(
            text,
            "{:NAME$}{used:>12}{behind_recode_min:>18.1}{lost_min:>14.0}{recode:>22}",
            policy.policy.as_str()
        );
    }
}

fn quantile_rows(
    text: &mut String,
    report: &Report,
    kinds: &[ContentKind],
    of: impl Fn(&KindReport) -> Option<[f64; 3]>,
) {
    for policy in &report.policies {
        row(text, policy.policy.as_str(), kinds, |kind| {
            let [half, most, nearly_all] = of(policy.kinds.get(&kind)?)?;
            Some(format!("{half:.0}/{most:.0}/{nearly_all:.0}"))
        });
    }
}

fn head(text: &mut String, what: &str, kinds: &[ContentKind]) {
    let _ = write!(text, "\n{what:NAME$}");
    for kind in kinds {
        let _ = write!(text, "{:>18}", kind.as_str());
    }
    text.push('\n');
}

fn row(text: &mut String, name: &str, kinds: &[ContentKind], cell: impl Fn(ContentKind) -> Option<String>) {
    let _ = write!(text, "{name:NAME$}");
    for kind in kinds {
        let _ = write!(text, "{:>18}", cell(*kind).unwrap_or("-".to_owned()));
    }
    text.push('\n');
}

fn join(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}
