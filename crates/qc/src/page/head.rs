//! The top of the page: the verdict, what was judged by what, and what the farm would make of it.

use reelfarm_model::qc::{AudioProgramme, AudioSource, Conclusion, Verdict};

use super::film::Film;
use super::markup::Markup;
use super::tables::properties;
use super::verdict;
use crate::text::{bytes, count, plain};

/// Writes the heading of a source of this name.
pub(super) fn head(film: &Film<'_>, source_name: &str, markup: &mut Markup) {
    let report = film.report;
    markup.within("header", &[], |markup| {
        markup.within("p", &[("class", "verdict")], |markup| {
            verdict::badge(markup, report.verdict, verdict::sentence(report.verdict));
        });
        markup.element("h1", &[], source_name);
        let mut lines = vec![("Length", film.length_in_words())];
        if film.measurements.size > 0 {
            let container = &film.measurements.container;
            let container = if container.is_empty() { "not known".to_owned() } else { plain(container) };
            lines.extend([("Size", bytes(film.measurements.size)), ("Container", container)]);
        }
        if report.external {
            lines.push(("Judged", "outside the farm, which took this report in place of its own".to_owned()));
        }
        lines.extend([
            ("Policy", report.policy.clone()),
            ("Ladder", report.ladder.clone()),
            ("Checks", counts(film)),
        ]);
        properties(markup, &lines);
    });
}

fn counts(film: &Film<'_>) -> String {
    let checks = &film.report.checks;
    let of = |verdict| checks.iter().filter(|check| check.verdict == verdict).count();
    let parts: Vec<_> = Verdict::ALL
        .into_iter()
        .rev()
        .filter(|verdict| of(*verdict) > 0)
        .map(|verdict| format!("{} {}", of(verdict), verdict::word(verdict)))
        .collect();
    format!("{}: {}", count(checks.len() as u64, "check"), parts.join(", "))
}

/// Writes what the farm would make.
pub(super) fn conclusion(film: &Film<'_>, markup: &mut Markup) {
    markup.within("section", &[("aria-labelledby", "made")], |markup| {
        markup.element("h2", &[("id", "made")], "What the farm would make");
        match &film.report.conclusion {
            Some(conclusion) => {
                if film.report.verdict == Verdict::Human {
                    markup.element("p", &[], "Nothing until somebody has looked; then:");
                }
                properties(markup, &made(conclusion));
            }
            None => markup.element("p", &[], "Nothing: the source is rejected."),
        }
    });
}

fn made(conclusion: &Conclusion) -> Vec<(&'static str, String)> {
    let video = &conclusion.video;
    let mut picture = format!(
        "{}x{} at {} frames a second, {}",
        video.width,
        video.height,
        video.frame_rate,
        count(video.frame_count, "frame")
    );
    if video.rotation != 0 {
        picture.push_str(&format!(", turned by {}°", video.rotation));
    }
    if video.deinterlace {
        picture.push_str(", deinterlaced");
    }
    let range = if video.full_range { "full range" } else { "narrow range" };
    let mut made = vec![
        ("Qualities", conclusion.rungs.join(", ")),
        ("Picture", picture),
        ("Colour", format!("{}, {range}", video.matrix)),
    ];
    made.extend(conclusion.audio.iter().map(|programme| ("Sound", sound(programme))));
    made
}

fn sound(programme: &AudioProgramme) -> String {
    let mut text = format!("{}: stereo from {}", programme.language, source(&programme.stereo));
    if let Some(surround) = &programme.surround {
        text.push_str(&format!("; 5.1 from {}", source(surround)));
    }
    text
}

fn source(source: &AudioSource) -> String {
    match source {
        AudioSource::Track { stream } => format!("track {stream}"),
        AudioSource::MonoTracks { streams } => {
            let streams: Vec<_> = streams.iter().map(u32::to_string).collect();
            format!("tracks {}", streams.join(", "))
        }
    }
}
