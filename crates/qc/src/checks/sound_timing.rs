//! Does the sound run as fast as its time stamps and the picture, and is it there throughout.

use reelfarm_model::Code;
use reelfarm_model::measurement::{AudioMeasurement, Spans};
use reelfarm_model::qc::Check;

use super::{Finding, Timeline, exceeds, longest};
use crate::policy::SoundTiming;
use crate::text::{count, decimal, span};

/// Rates between which films are carried over by running them faster or slower, in frames per second.
const CARRIED_OVER: [f64; 3] = [24_000.0 / 1001.0, 24.0, 25.0];
/// A frame of video at 24 fps, and a coder's priming and padding: so much of a difference in length says nothing, in seconds.
const EXPLAINED: f64 = 0.086;
/// A difference in length must be so many times what is explained before it is taken for one in speed.
const TELLING: f64 = 4.0;

/// Whether the tracks in use drift against their time stamps or run at another speed than the picture; `None` where that was
/// not measured. `picture` is when the picture begins and ends.
pub(crate) fn drift(
    policy: &SoundTiming,
    picture: Option<(f64, f64)>,
    used: &[&AudioMeasurement],
    timeline: Timeline,
) -> Option<Check> {
    let measured: Vec<_> =
        used.iter().filter_map(|track| Some((*track, track.continuity.as_ref()?))).collect();
    let (worst, largest) = measured.iter().max_by(|a, b| a.1.drift.abs().total_cmp(&b.1.drift.abs()))?;
    let mut faults = Vec::new();
    let mut places = Vec::new();
    for (track, continuity) in &measured {
        if exceeds(continuity.drift.abs() * 1000.0, policy.max_drift_ms) {
            let number = if continuity.drift > 0.0 { "few" } else { "many" };
            let percent = 100.0 * continuity.drift.abs() / (continuity.drift_time - track.first_time);
            faults.push(format!(
                "stream {}: {} too {number} samples by {} ({} %)",
                track.index,
                span(continuity.drift.abs()),
                timeline.time_code(continuity.drift_time),
                decimal(percent, 3)
            ));
            places.extend(timeline.moment(Some(continuity.drift_time)));
        }
    }
    faults.extend(
        picture.iter().flat_map(|picture| used.iter().filter_map(|track| other_speed(track, *picture))),
    );
    let is_faulty = !faults.is_empty();
    let value = if is_faulty {
        faults.join("; ")
    } else {
        format!("up to {} off the time stamps, in stream {}", span(largest.drift.abs()), worst.index)
    };
    let limit = format!("at most {}, as fast as the picture", span(policy.max_drift_ms / 1000.0));
    let finding = Finding::new(Code::QcAudioVideoLength, "drift", value, limit).at(places);
    Some(if is_faulty {
        finding.fail(
            policy.drift_verdict,
            "Watch the end: are lips and voices together? The farm keeps to the time stamps, by hundredths of a second of silence or left out. Ask for an export in which sound and picture run at one speed.",
        )
    } else {
        finding.pass()
    })
}

/// In words, that a track is longer or shorter than the picture by just what sound is that was made for another rate.
fn other_speed(track: &AudioMeasurement, picture: (f64, f64)) -> Option<String> {
    let length = picture.1 - picture.0;
    let difference = track.end_time - track.first_time - length;
    if (track.first_time - picture.0).abs() > EXPLAINED {
        return None;
    }
    let pairs = CARRIED_OVER.iter().flat_map(|made| CARRIED_OVER.iter().map(move |shown| (*made, *shown)));
    let distance = |made: f64, shown: f64| (difference - (shown / made - 1.0) * length).abs();
    let (made, shown) = pairs
        .filter(|(made, shown)| ((shown / made - 1.0) * length).abs() > TELLING * EXPLAINED)
        .filter(|(made, shown)| distance(*made, *shown) <= EXPLAINED)
        .min_by(|a, b| distance(a.0, a.1).total_cmp(&distance(b.0, b.1)))?;
    Some(format!(
        "stream {}: {} % {} than the picture, as of a film at {} fps beside one at {}",
        track.index,
        decimal(100.0 * difference.abs() / length, 2),
        if difference > 0.0 { "longer" } else { "shorter" },
        decimal(made, 3),
        decimal(shown, 3)
    ))
}

/// Whether there are stretches without samples in the tracks in use, or with samples twice; `None` where that was not measured.
pub(crate) fn gaps(policy: &SoundTiming, used: &[&AudioMeasurement], timeline: Timeline) -> Option<Check> {
    let mut named = Vec::new();
    let mut places = Vec::new();
    let mut is_measured = false;
    for track in used {
        let Some(continuity) = &track.continuity else { continue };
        is_measured = true;
        for (noun, spans) in [("gap", &continuity.gaps), ("overlap", &continuity.overlaps)] {
            if spans.count > 0 {
                named.push(format!(
                    "{} in stream {}{}",
                    count(spans.count, noun),
                    track.index,
                    extent(spans)
                ));
                places.extend(&spans.first);
            }
        }
    }
    let is_whole = named.is_empty();
    let value = if is_whole { "none".to_owned() } else { named.join("; ") };
    let finding = Finding::new(Code::QcGaps, "sound gaps", value, "samples follow each other within 10 ms")
        .at(timeline.places(places));
    is_measured.then(|| {
        if is_whole {
            finding.pass()
        } else {
            finding.fail(
                policy.gap_verdict,
                "Listen at these places: gaps are filled with silence, and what is there twice is cut. Ask for a new export.",
            )
        }
    })
}

fn extent(spans: &Spans) -> String {
    longest(&spans.first)
        .map_or_else(String::new, |longest| format!(", up to {}", span(longest.end - longest.start)))
}

#[cfg(test)]
mod tests {
    use reelfarm_model::Measurements;
    use reelfarm_model::measurement::Span;
    use reelfarm_model::qc::Verdict;

    use super::*;
    use crate::sample;

    fn drifting(film: &mut Measurements, drift: f64) {
        let continuity = film.audio[0].continuity.as_mut().unwrap();
        (continuity.drift, continuity.drift_time) = (drift, 8.0);
    }

    /// Ten minutes whose sound is as long as this.
    fn lasting(film: &mut Measurements, seconds: f64) {
        *film = sample::at_rate(reelfarm_model::measurement::Ratio::new(25, 1), 600.0);
        film.audio[0].end_time = seconds;
    }

    #[test]
    fn sound_keeps_to_its_time_stamps() {
        sample::table(
            "drift",
            &[
                (Verdict::Pass, "up to 0 ms off the time stamps, in stream 1", &|_| {}),
                (Verdict::Pass, "up to 40 ms off", &|m| drifting(m, 0.04)),
                (Verdict::Warn, "stream 1: 40.1 ms too few samples by 00:00:08:00 (0.501 %)", &|m| {
                    drifting(m, 0.0401);
                }),
                (Verdict::Warn, "stream 1: 40.1 ms too many samples", &|m| drifting(m, -0.0401)),
            ],
        );
        let mut film = sample::clean();
        drifting(&mut film, 0.1);
        assert_eq!(sample::places(&film, "drift"), ["00:00:08:00"]);
    }

    #[test]
    fn sound_is_as_fast_as_the_picture() {
        sample::table(
            "drift",
            &[
                (Verdict::Pass, "", &|m| lasting(m, 600.0)),
                (
                    Verdict::Warn,
                    "0.1 % longer than the picture, as of a film at 23.976 fps beside one at 24",
                    &|m| {
                        lasting(m, 600.6);
                    },
                ),
                (
                    Verdict::Warn,
                    "0.1 % shorter than the picture, as of a film at 24 fps beside one at 23.976",
                    &|m| {
                        lasting(m, 600.0 / 1.001);
                    },
                ),
                (
                    Verdict::Warn,
                    "4.17 % longer than the picture, as of a film at 24 fps beside one at 25",
                    &|m| {
                        lasting(m, 625.0);
                    },
                ),
                (
                    Verdict::Warn,
                    "4 % shorter than the picture, as of a film at 25 fps beside one at 24",
                    &|m| {
                        lasting(m, 576.0);
                    },
                ),
                (
                    Verdict::Warn,
                    "4.27 % longer than the picture, as of a film at 23.976 fps beside one at 25",
                    &|m| {
                        lasting(m, 625.625);
                    },
                ),
                // Beyond what is explained on either side.
                (Verdict::Pass, "", &|m| lasting(m, 600.51)),
                (Verdict::Pass, "", &|m| lasting(m, 600.69)),
                (Verdict::Pass, "", &|m| lasting(m, f64::NAN)),
                // Another cut, not another speed.
                (Verdict::Pass, "", &|m| {
                    lasting(m, 600.6);
                    m.audio[0].first_time = 0.1;
                }),
                // A film so short that what is explained explains it.
                (Verdict::Pass, "", &|m| m.audio[0].end_time = 10.01),
            ],
        );
    }

    #[test]
    fn samples_follow_each_other() {
        let missing = |film: &mut Measurements, spans: &[(f64, f64)], twice: u64| {
            let first: Vec<Span> =
                spans.iter().map(|(start, end)| Span { start: *start, end: *end }).collect();
            let continuity = film.audio[0].continuity.as_mut().unwrap();
            continuity.gaps = Spans { count: first.len() as u64, seconds: 1.0, first };
            continuity.overlaps.count = twice;
        };
        sample::table(
            "sound gaps",
            &[
                (Verdict::Pass, "none", &|_| {}),
                (Verdict::Warn, "1 gap in stream 1, up to 40 ms", &|m| missing(m, &[(2.0, 2.04)], 0)),
                (Verdict::Warn, "2 gaps in stream 1, up to 3 s; 7 overlaps in stream 1", &|m| {
                    missing(m, &[(2.0, 2.04), (4.0, 7.0)], 7);
                }),
            ],
        );
        let mut film = sample::clean();
        missing(&mut film, &[(2.0, 2.04), (4.0, 7.0)], 0);
        assert_eq!(sample::places(&film, "sound gaps"), ["00:00:02:00", "00:00:04:00"]);
    }

    #[test]
    fn what_was_not_measured_is_not_judged() {
        let mut film = sample::clean();
        film.audio[0].continuity = None;
        let report = sample::report(&film);
        assert!(report.checks.iter().all(|check| check.name != "drift" && check.name != "sound gaps"));
    }
}
