//! Which subtitles and data the file brings along, and whether the subtitles are sound.
//!
//! The farm makes subtitles of the files beside a film, not of these; they are told so that nobody misses them.

use reelfarm_model::Code;
use reelfarm_model::measurement::{Measurements, Span, SubtitleMeasurement};
use reelfarm_model::qc::Check;

use super::{Finding, Timeline, exceeds};
use crate::language;
use crate::policy::Subtitles;
use crate::text::{count, plain, span};

/// Tracks that the value names, of each kind.
const MOST_NAMED: usize = 8;

/// Whether the subtitles in the file have a language, follow each other, and end with the picture; `None` where there are
/// neither subtitles nor data. `picture` is when the picture begins and ends.
pub(crate) fn subtitles(
    policy: &Subtitles,
    measurements: &Measurements,
    picture: Option<(f64, f64)>,
    timeline: Timeline,
) -> Option<Check> {
    let (tracks, other) = (&measurements.subtitles, &measurements.other);
    if tracks.is_empty() && other.is_empty() {
        return None;
    }
    let mut value: Vec<_> = tracks.iter().take(MOST_NAMED).map(describe).collect();
    value.extend(
        other.iter().take(MOST_NAMED).map(|(stream, kind)| format!("stream {stream}: {}", plain(kind))),
    );
    let unnamed = tracks.len().saturating_sub(MOST_NAMED) + other.len().saturating_sub(MOST_NAMED);
    if unnamed > 0 {
        value.push(format!("{} more", count(unnamed as u64, "track")));
    }
    let mut faults: Vec<_> = tracks.iter().filter_map(|track| fault(policy, track, picture)).collect();
    let further = faults.split_off(faults.len().min(MOST_NAMED)).len();
    if further > 0 {
        faults.push(format!("{} more with a fault", count(further as u64, "track")));
    }
    let is_faulty = !faults.is_empty();
    value.extend(faults);
    let limit = format!("a language, no overlaps, none {} after the end", span(policy.max_after_end_s));
    let places: Vec<Span> = tracks.iter().flat_map(|track| places(policy, track, picture)).collect();
    let finding = Finding::new(Code::QcSubtitles, "subtitles and data", value.join("; "), limit)
        .at(timeline.places(&places));
    Some(if is_faulty {
        finding.fail(
            policy.verdict,
            "The farm takes subtitles from files beside the film, not from the film: if these are wanted, ask for them corrected, as files of their own.",
        )
    } else {
        finding.pass()
    })
}

fn describe(track: &SubtitleMeasurement) -> String {
    let language = tag(track).unwrap_or_else(|| "no language".to_owned());
    format!("stream {}: {}, {language}, {}", track.index, plain(&track.codec), count(track.events, "event"))
}

fn tag(track: &SubtitleMeasurement) -> Option<String> {
    track.language.as_deref().and_then(|text| language::parse(text).ok().flatten())
}

/// What is wrong with a track, in words.
fn fault(policy: &Subtitles, track: &SubtitleMeasurement, picture: Option<(f64, f64)>) -> Option<String> {
    let mut found = Vec::new();
    if tag(track).is_none() {
        found.push("no language".to_owned());
    }
    if track.events == 0 {
        found.push("nothing to show".to_owned());
    }
    if track.overlaps.count > 0 {
        found.push(count(track.overlaps.count, "overlap"));
    }
    if let Some(after) = after_end(policy, track, picture) {
        found.push(format!("ends {} late", span(after.end - after.start)));
    }
    (!found.is_empty()).then(|| format!("fault of stream {}: {}", track.index, found.join(", ")))
}

/// What of a track is shown after the picture, where that is too long.
fn after_end(policy: &Subtitles, track: &SubtitleMeasurement, picture: Option<(f64, f64)>) -> Option<Span> {
    let after = Span { start: picture?.1, end: track.end_time };
    (track.events > 0 && exceeds(after.end - after.start, policy.max_after_end_s)).then_some(after)
}

/// Where a track's faults are.
fn places(policy: &Subtitles, track: &SubtitleMeasurement, picture: Option<(f64, f64)>) -> Vec<Span> {
    let mut places = track.overlaps.first.clone();
    places.extend(after_end(policy, track, picture));
    places
}

#[cfg(test)]
mod tests {
    use reelfarm_model::Measurements;
    use reelfarm_model::measurement::Spans;
    use reelfarm_model::qc::Verdict;

    use super::*;
    use crate::sample;

    fn with(film: &mut Measurements, bend: impl Fn(&mut SubtitleMeasurement)) {
        let mut track = sample::subtitles(2);
        bend(&mut track);
        film.subtitles.push(track);
    }

    #[test]
    fn subtitles_are_listed_and_judged() {
        sample::table(
            "subtitles and data",
            &[
                (Verdict::Pass, "stream 2: mov_text, en, 120 events", &|m| with(m, |_| {})),
                (Verdict::Pass, "stream 3: tmcd", &|m| m.other.push((3, "tmcd".to_owned()))),
                (Verdict::Warn, "fault of stream 2: no language", &|m| {
                    with(m, |track| track.language = None);
                }),
                (Verdict::Warn, "fault of stream 2: no language", &|m| {
                    with(m, |track| track.language = Some("\u{1b}[2J".to_owned()));
                }),
                (Verdict::Warn, "fault of stream 2: nothing to show", &|m| with(m, |track| track.events = 0)),
                (Verdict::Warn, "fault of stream 2: 2 overlaps", &|m| {
                    with(m, |track| track.overlaps.count = 2);
                }),
                (Verdict::Pass, "120 events", &|m| with(m, |track| track.end_time = 11.0)),
                (Verdict::Warn, "fault of stream 2: ends 1.04 s late", &|m| {
                    with(m, |track| track.end_time = 11.04);
                }),
                (Verdict::Warn, "2 tracks more; fault of stream 2: no language", &|m| {
                    (0..10).for_each(|_| with(m, |track| track.language = None));
                }),
            ],
        );
    }

    #[test]
    fn faults_are_found_where_they_are() {
        let mut film = sample::clean();
        with(&mut film, |track| {
            track.overlaps = Spans { count: 1, seconds: 0.5, first: vec![Span { start: 3.0, end: 3.5 }] };
            track.end_time = 12.0;
        });
        let places = sample::check(&sample::report(&film), "subtitles and data").places.clone();
        let shown: Vec<_> = places.iter().map(|place| (place.start_ms, place.end_ms)).collect();
        assert_eq!(shown, [(3_000, 3_500), (10_000, 12_000)]);
    }

    #[test]
    fn without_subtitles_and_data_there_is_nothing_to_say() {
        let report = sample::report(&sample::clean());
        assert!(report.checks.iter().all(|check| check.name != "subtitles and data"));
    }
}
