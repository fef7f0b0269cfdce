//! Does everything decode, and can every frame be placed on the timeline.

use reelfarm_model::Code;
use reelfarm_model::measurement::{Measurements, VideoMeasurement};
use reelfarm_model::qc::Check;

use super::{Finding, Timeline, longest};
use crate::policy::{Decode, TimeStamps};
use crate::text::{count, plain, span};

/// Whether anything failed to decode.
pub(crate) fn errors(policy: &Decode, measurements: &Measurements, timeline: Timeline) -> Check {
    let picture = measurements.video.iter().fold(0_u64, |sum, track| sum.saturating_add(track.decode_errors));
    let sound = measurements.audio.iter().fold(0_u64, |sum, track| sum.saturating_add(track.decode_errors));
    let first_in_picture = measurements.video.iter().find_map(|track| track.first_decode_error);
    let first_in_sound = measurements.audio.iter().find_map(|track| track.first_decode_error);
    let at = |first: Option<f64>| {
        first.map(|first| format!(", the first at {}", timeline.time_code(first))).unwrap_or_default()
    };
    let value = match (picture, sound) {
        (0, 0) => "no errors".to_owned(),
        (0, sound) => format!("{} in the sound{}", count(sound, "error"), at(first_in_sound)),
        (picture, sound) => {
            let also = if sound == 0 { String::new() } else { format!("; {sound} in the sound") };
            format!("{} in the picture{}{also}", count(picture, "error"), at(first_in_picture))
        }
    };
    let places = [first_in_picture, first_in_sound].into_iter().flat_map(|first| timeline.moment(first));
    let finding = Finding::new(
        Code::QcDecodeErrors,
        "decoding",
        value,
        format!("at most {}", count(policy.max_errors, "error")),
    )
    .at(places.collect());
    if picture.saturating_add(sound) <= policy.max_errors {
        return finding.pass();
    }
    let mut remedy =
        "Look at the place named, compare the MD5 with the supplier's, ask for a clean copy.".to_owned();
    if let Some(line) = measurements.error_lines.first() {
        remedy.push_str(&format!(" FFmpeg says: {}", plain(line)));
    }
    finding.fail(policy.verdict, remedy)
}

/// Whether every frame has a time, after the one before.
pub(crate) fn time_stamps(policy: &TimeStamps, video: &VideoMeasurement, timeline: Timeline) -> Check {
    let value = match (video.missing_times, video.backward_times) {
        (0, 0) => "every frame has its time".to_owned(),
        (missing, 0) => format!("missing on {}", count(missing, "frame")),
        (0, backward) => format!("backward on {}", count(backward, "frame")),
        (missing, backward) => format!("missing on {}, backward on {backward}", count(missing, "frame")),
    };
    let finding = Finding::new(Code::QcTimestamps, "time stamps", value, "present and rising")
        .at(timeline.moment(video.first_backward_time));
    if video.missing_times == 0 && video.backward_times == 0 {
        finding.pass()
    } else {
        finding.fail(policy.verdict, "Ask for a new export: the file's time stamps are broken.")
    }
}

/// Whether there are gaps between frames. The constant rate rejects them; this says where they are.
pub(crate) fn gaps(policy: &TimeStamps, video: &VideoMeasurement, timeline: Timeline) -> Check {
    let gaps = &video.gaps;
    let value = match gaps.first.first() {
        None if gaps.count == 0 => "none".to_owned(),
        first => {
            let at = first.map(|first| format!(", the first at {}", timeline.time_code(first.start)));
            let longest = longest(&gaps.first)
                .map(|longest| format!(", the longest of {}", span(longest.end - longest.start)));
            format!("{}{}{}", count(gaps.count, "gap"), at.unwrap_or_default(), longest.unwrap_or_default())
        }
    };
    let finding = Finding::new(Code::QcGaps, "gaps", value, "each frame follows the one before")
        .at(timeline.places(&gaps.first));
    if gaps.count == 0 {
        finding.pass()
    } else {
        finding.fail(
            policy.gap_verdict,
            "Watch these places: frames are missing, or were never recorded. Ask for a new export.",
        )
    }
}

#[cfg(test)]
mod tests {
    use reelfarm_model::Code;
    use reelfarm_model::measurement::{Span, Spans};
    use reelfarm_model::qc::Verdict;

    use crate::sample;

    #[test]
    fn one_decode_error_rejects_with_count_and_time_code() {
        sample::table(
            "decoding",
            &[
                (Verdict::Pass, "no errors", &|_| {}),
                (Verdict::Reject, "1 error in the picture, the first at 00:00:02:05", &|m| {
                    m.video[0].first_time = 10.0;
                    m.video[0].last_time += 10.0;
                    m.video[0].decode_errors = 1;
                    m.video[0].first_decode_error = Some(12.2);
                }),
                (Verdict::Reject, "7 errors in the picture; 2 in the sound", &|m| {
                    m.video[0].decode_errors = 7;
                    m.audio[0].decode_errors = 2;
                }),
                (Verdict::Reject, "1 error in the sound", &|m| m.audio[0].decode_errors = 1),
                (Verdict::Reject, "2 errors in the sound, the first at 00:00:03:00", &|m| {
                    m.audio[0].decode_errors = 2;
                    m.audio[0].first_decode_error = Some(3.0);
                }),
                (Verdict::Reject, "18446744073709551615 errors", &|m| {
                    m.video[0].decode_errors = u64::MAX;
                    m.audio[0].decode_errors = u64::MAX;
                }),
            ],
        );
    }

    #[test]
    fn the_policy_can_let_errors_pass_with_a_warning() {
        let mut policy = sample::policy();
        policy.decode = crate::policy::Decode { max_errors: 1, verdict: crate::policy::Severity::Warn };
        let mut measurements = sample::clean();
        for (errors, verdict) in [(1, Verdict::Pass), (2, Verdict::Warn)] {
            measurements.video[0].decode_errors = errors;
            measurements.error_lines = vec!["bad \u{1b}[31mslice".into()];
            let report = crate::evaluate(&policy, &measurements, &sample::ladder(), None);
            let check = sample::check(&report, "decoding");
            assert_eq!(check.verdict, verdict);
            assert_eq!(check.remedy.ends_with("FFmpeg says: bad ?[31mslice"), verdict == Verdict::Warn);
            assert!(report.conclusion.is_some());
        }
    }

    #[test]
    fn broken_time_stamps_reject_and_leave_the_rate_unjudged() {
        sample::table(
            "time stamps",
            &[
                (Verdict::Pass, "every frame has its time", &|_| {}),
                (Verdict::Reject, "missing on 1 frame", &|m| m.video[0].missing_times = 1),
                (Verdict::Reject, "backward on 3 frames", &|m| m.video[0].backward_times = 3),
                (Verdict::Reject, "missing on 2 frames, backward on 3", &|m| {
                    m.video[0].missing_times = 2;
                    m.video[0].backward_times = 3;
                }),
            ],
        );
        let mut measurements = sample::clean();
        measurements.video[0].backward_times = 1;
        measurements.video[0].first_backward_time = Some(3.0);
        assert_eq!(sample::places(&measurements, "time stamps"), ["00:00:03:00"]);
        let report = sample::report(&measurements);
        assert!(report.checks.iter().all(|check| {
            check.code != Code::QcFrameRateVariable && check.code != Code::QcFrameRateFractional
        }));
    }

    #[test]
    fn gaps_are_found_where_they_are() {
        let gap = |start: f64, end: f64| Span { start, end };
        let gaps = |film: &mut reelfarm_model::Measurements, first: Vec<Span>| {
            film.video[0].gaps = Spans { count: first.len() as u64, seconds: 1.0, first };
        };
        sample::table(
            "gaps",
            &[
                (Verdict::Pass, "none", &|_| {}),
                (Verdict::Warn, "1 gap, the first at 00:00:02:00, the longest of 80 ms", &|m| {
                    gaps(m, vec![gap(2.0, 2.08)]);
                }),
                (Verdict::Warn, "2 gaps, the first at 00:00:02:00, the longest of 4 s", &|m| {
                    gaps(m, vec![gap(2.0, 2.08), gap(3.0, 7.0)]);
                }),
                (Verdict::Warn, "7 gaps", &|m| m.video[0].gaps.count = 7),
            ],
        );
        let mut film = sample::clean();
        gaps(&mut film, vec![gap(2.0, 2.08), gap(3.0, 7.0)]);
        assert_eq!(sample::places(&film, "gaps"), ["00:00:02:00", "00:00:03:00"]);
    }
}
