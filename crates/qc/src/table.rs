//! The report as a table for people: the verdict first, what is wrong before what is right, and what to do below.
//! Fits a terminal of 100 columns, is understood without colour, and passes no control character of a file on.

use anstyle::{AnsiColor, Style};
use reelfarm_model::qc::{Check, Conclusion, QcReport, Verdict};
use textwrap::core::display_width;

use crate::text::{count, printable};

/// The widest line, in columns.
const WIDTH: usize = 100;
/// Places that are named of each check; the report has more of them.
const NAMED_PLACES: usize = 5;
/// Columns between columns.
const GAP: usize = 2;

/// The report on the source of this name, with ANSI colours where `colour` says so.
pub fn render(report: &QcReport, source_name: &str, colour: bool) -> String {
    let mut lines = Vec::new();
    heading(report, source_name, colour, &mut lines);
    lines.push(String::new());
    let mut checks: Vec<_> = report.checks.iter().collect();
    checks.sort_by_key(|check| std::cmp::Reverse(check.verdict));
    rows(&checks, colour, &mut lines);
    remedies(&checks, &mut lines);
    if let Some(conclusion) = &report.conclusion {
        lines.push(String::new());
        let waits = report.verdict == Verdict::Human;
        wrapped(&made(conclusion, waits), "", "  ", &mut lines);
    }
    let mut text = String::new();
    for line in lines {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn heading(report: &QcReport, source_name: &str, colour: bool, lines: &mut Vec<String>) {
    let verdict = match report.verdict {
        Verdict::Pass => "PASSED",
        Verdict::Warn => "PASSED with warnings",
        Verdict::Human => "WAITS FOR A PERSON",
        Verdict::Reject => "REJECTED",
    };
    let of = |verdict| report.checks.iter().filter(|check| check.verdict == verdict).count() as u64;
    let mut title = Vec::new();
    wrapped(&format!("{verdict}: {}", printable(source_name)), "", "  ", &mut title);
    if let Some(first) = title.first_mut() {
        let styled = painted(verdict, report.verdict, colour);
        *first = first.replacen(verdict, &styled, 1);
    }
    lines.append(&mut title);
    // Few policies leave anything to a person: said only where one does.
    let waiting = match of(Verdict::Human) {
        0 => String::new(),
        waiting => format!("{waiting} for a person, "),
    };
    let external = if report.external { "external report, " } else { "" };
    let summary = format!(
        "{}: {} rejected, {waiting}{} with a warning, {} passed ({external}policy {}, ladder {})",
        count(report.checks.len() as u64, "check"),
        of(Verdict::Reject),
        of(Verdict::Warn),
        of(Verdict::Pass),
        printable(&report.policy),
        printable(&report.ladder)
    );
    wrapped(&summary, "", "  ", lines);
}

fn rows(checks: &[&Check], colour: bool, lines: &mut Vec<String>) {
    let cells: Vec<[String; 4]> = checks
        .iter()
        .map(|check| {
            let code = check.code.to_string();
            [printable(&check.name), printable(&check.value), printable(&check.limit), code]
        })
        .collect();
    let header = ["CHECK", "FOUND", "LIMIT", "CODE"].map(str::to_owned);
    let widest = |column: usize| {
        let all = cells.iter().chain([&header]);
        all.map(|row| display_width(&row[column])).max().unwrap_or(0)
    };
    let verdict_width = display_width(word(Verdict::Reject));
    let (name, code) = (widest(0).min(20), widest(3));
    let room = WIDTH.saturating_sub(verdict_width + name + code + 4 * GAP);
    let (found, limit) = share(room, widest(1), widest(2));
    let widths = [name, found, limit, code];

    row("", &header, widths, verdict_width, lines);
    for (check, cells) in checks.iter().zip(&cells) {
        let from = lines.len();
        row(word(check.verdict), cells, widths, verdict_width, lines);
        if let Some(line) = lines.get_mut(from) {
            *line =
                line.replacen(word(check.verdict), &painted(word(check.verdict), check.verdict, colour), 1);
        }
    }
}

/// Widths of two columns in the room that they have: each as wide as it wants, or, where both want too much, a fair
/// share with the first the wider.
fn share(room: usize, first: usize, second: usize) -> (usize, usize) {
    if first + second <= room {
        return (first, second);
    }
    let fair = room * 3 / 5;
    if first <= fair {
        (first, room - first)
    } else if second <= room - fair {
        (room - second, second)
    } else {
        (fair, room - fair)
    }
}

fn row(
    verdict: &str,
    cells: &[String; 4],
    widths: [usize; 4],
    verdict_width: usize,
    lines: &mut Vec<String>,
) {
    let columns: Vec<Vec<String>> =
        cells.iter().zip(widths).map(|(text, width)| wrap(text, width.max(1))).collect();
    let height = columns.iter().map(Vec::len).max().unwrap_or(0);
    for index in 0..height {
        let mut line = padded(if index == 0 { verdict } else { "" }, verdict_width);
        for (column, width) in columns.iter().zip(widths) {
            line.push_str(&" ".repeat(GAP));
            line.push_str(&padded(column.get(index).map_or("", String::as_str), width));
        }
        lines.push(line);
    }
}

/// Each remedy once, with the checks that it is for and the first places of each.
fn remedies(checks: &[&Check], lines: &mut Vec<String>) {
    let mut grouped: Vec<(String, &str)> = Vec::new();
    for check in checks.iter().filter(|check| !check.remedy.is_empty()) {
        let name = format!("{}{}", check.name, places(check));
        match grouped.iter_mut().find(|(_, remedy)| *remedy == check.remedy) {
            Some((names, _)) => names.push_str(&format!(", {name}")),
            None => grouped.push((name, &check.remedy)),
        }
    }
    if grouped.is_empty() {
        return;
    }
    lines.push(String::new());
    lines.push("What to do".to_owned());
    for (names, remedy) in grouped {
        wrapped(&printable(&format!("{names}: {remedy}")), "  ", "    ", lines);
    }
    if let Some(worst) = checks.first() {
        wrapped(&format!("More: reelfarm explain {}", worst.code), "  ", "    ", lines);
    }
}

/// Where it was found, as an operator types it into a player.
fn places(check: &Check) -> String {
    let named: Vec<_> =
        check.places.iter().take(NAMED_PLACES).map(|place| place.time_code.as_str()).collect();
    let more = check.places.len() - named.len();
    match (named.is_empty(), more) {
        (true, _) => String::new(),
        (false, 0) => format!(" (at {})", named.join(", ")),
        (false, more) => format!(" (at {} and {more} more)", named.join(", ")),
    }
}

fn made(conclusion: &Conclusion, waits: bool) -> String {
    let audio: Vec<_> = conclusion
        .audio
        .iter()
        .map(|programme| {
            let kinds = if programme.surround.is_some() { "stereo and 5.1" } else { "stereo" };
            format!("{} in {kinds}", programme.language)
        })
        .collect();
    format!(
        "Can be made{}: {} at {} fps; sound {}",
        if waits { " once somebody has decided" } else { "" },
        conclusion.rungs.join(", "),
        conclusion.video.frame_rate,
        audio.join(", ")
    )
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Warn => "warn",
        Verdict::Human => "HUMAN",
        Verdict::Reject => "REJECT",
    }
}

fn painted(text: &str, verdict: Verdict, colour: bool) -> String {
    if !colour {
        return text.to_owned();
    }
    let style: Style = match verdict {
        Verdict::Pass => AnsiColor::Green.on_default(),
        Verdict::Warn => AnsiColor::Yellow.on_default().bold(),
        Verdict::Human => AnsiColor::Magenta.on_default().bold(),
        Verdict::Reject => AnsiColor::Red.on_default().bold(),
    };
    format!("{style}{text}{style:#}")
}

fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(display_width(text))))
}

fn wrap(text: &str, width: usize) -> Vec<String> {
    textwrap::wrap(text, unsplit(width)).into_iter().map(|line| line.into_owned()).collect()
}

/// Flags such as `--audio-lang` stay whole.
fn unsplit<'a>(width: usize) -> textwrap::Options<'a> {
    textwrap::Options::new(width).word_splitter(textwrap::WordSplitter::NoHyphenation)
}

fn wrapped(text: &str, first: &str, rest: &str, lines: &mut Vec<String>) {
    let options = unsplit(WIDTH).initial_indent(first).subsequent_indent(rest);
    lines.extend(textwrap::wrap(text, options).into_iter().map(|line| line.into_owned()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn the_verdict_comes_first_and_rejections_before_the_rest() {
        let mut measurements = sample::clean();
        measurements.audio.clear();
        let table = render(&sample::report(&measurements), "film.mp4", false);
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines[0], "REJECTED: film.mp4");
        assert!(lines[4].starts_with("REJECT  audio "), "{}", lines[4]);
        assert!(lines[5].starts_with("pass "), "{}", lines[5]);
        assert!(table.contains("reelfarm explain RF-QC-008"));
    }

    #[test]
    fn what_waits_for_a_person_says_so() {
        let mut policy = sample::policy();
        policy.freeze.verdict = crate::policy::Severity::Human;
        let mut measurements = sample::clean();
        let spans =
            (0..7).map(|number| sample::span(f64::from(number) * 10.0, f64::from(number) * 10.0 + 6.0));
        measurements.video[0].picture.as_mut().unwrap().freeze.first = spans.collect();
        let report = crate::evaluate(&policy, &measurements, &sample::ladder(), None);
        let table = render(&report, "film.mp4", false);
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines[0], "WAITS FOR A PERSON: film.mp4");
        assert!(lines[1].contains("0 rejected, 1 for a person, 0 with a warning"), "{}", lines[1]);
        assert!(lines[4].starts_with("HUMAN   freeze "), "{}", lines[4]);
        let places =
            "freeze (at 00:00:00:00, 00:00:10:00, 00:00:20:00, 00:00:30:00, 00:00:40:00 and 2 more): Watch";
        assert!(table.replace("\n   ", "").contains(places), "{table}");
        assert!(table.contains("Can be made once somebody has decided: 1080p"), "{table}");
    }

    #[test]
    fn a_report_that_was_made_elsewhere_says_so() {
        let report = QcReport { external: true, ..sample::report(&sample::clean()) };
        let table = render(&report, "film.mp4", false);
        assert!(table.contains("(external report, policy default, ladder default)"), "{table}");
    }

    #[test]
    fn colour_changes_nothing_but_colour() {
        let report = sample::report(&sample::clean());
        let coloured = render(&report, "film.mp4", true);
        assert!(coloured.contains("\u{1b}[32mPASSED\u{1b}[0m: film.mp4"));
        let mut bare = String::new();
        let mut parts = coloured.split('\u{1b}');
        bare.push_str(parts.next().unwrap());
        for part in parts {
            bare.push_str(part.split_once('m').unwrap().1);
        }
        assert_eq!(bare, render(&report, "film.mp4", false));
    }

    #[test]
    fn a_source_cannot_write_escapes_through_its_name() {
        let table = render(&sample::report(&sample::clean()), "a\u{1b}]0;x\u{7}.mp4", false);
        assert!(table.starts_with("PASSED: a?]0;x?.mp4"), "{table}");
    }

    #[test]
    fn two_columns_share_their_room() {
        assert_eq!(share(50, 20, 20), (20, 20));
        assert_eq!(share(50, 20, 60), (20, 30));
        assert_eq!(share(50, 60, 10), (40, 10));
        assert_eq!(share(50, 60, 60), (30, 20));
    }
}
