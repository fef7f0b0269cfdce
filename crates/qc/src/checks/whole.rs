//! Are duration and size plausible, and does the file reach the end that its header states.

use reelfarm_model::Code;
use reelfarm_model::measurement::{Measurements, VideoMeasurement};
use reelfarm_model::qc::Check;

use super::Finding;
use super::frame_rate::Cadence;
use crate::policy::{Duration, Truncation};
use crate::text::{bytes, clock, count, decimal, span};

/// When the picture begins and ends, in seconds on the container's timeline. The last frame lasts as long as the mean
/// one; a single frame has no length.
pub(crate) fn picture_span(video: &VideoMeasurement, cadence: Cadence) -> (f64, f64) {
    let distance = match cadence.rate() {
        Some(rate) => 1.0 / rate,
        None if video.frames > 1 => (video.last_time - video.first_time) / (video.frames - 1) as f64,
        None => 0.0,
    };
    (video.first_time, video.last_time + distance)
}

/// When the first and the last of picture and sound that were decoded begin and end, in seconds on the container's timeline;
/// `None` where nothing was.
fn extent(measurements: &Measurements, picture: Option<(f64, f64)>) -> Option<(f64, f64)> {
    let sound = measurements
        .audio
        .iter()
        .filter(|track| track.samples > 0)
        .map(|track| (track.first_time, track.end_time));
    picture.into_iter().chain(sound).reduce(|(begin, end), (first, last)| (begin.min(first), end.max(last)))
}

/// From the first to the last of picture and sound that were decoded, in seconds.
pub(crate) fn decoded_duration(measurements: &Measurements, picture: Option<(f64, f64)>) -> f64 {
    extent(measurements, picture).map_or(0.0, |(begin, end)| end - begin)
}

/// Whether what was decoded ends where a header has an end, or the header counts subtitles that stay longer and says nothing of
/// picture and sound alone. Headers count from zero, and a film may begin later; and they count tracks that are no picture and
/// no sound.
fn is_explained(policy: &Truncation, measurements: &Measurements, stated: f64, end: f64) -> bool {
    // Either way: what ends elsewhere than the header says was not written with it.
    let is_near = |one: f64, other: f64| to_milliseconds((one - other).abs()) <= policy.max_missing_s;
    let texts = measurements.subtitles.iter().filter(|track| track.events > 0).map(|track| track.end_time);
    is_near(stated, end)
        || match measurements.header_end {
            Some(header_end) => is_near(header_end, end),
            None => texts.reduce(f64::max).is_some_and(|last| is_near(stated, last)),
        }
}

/// What sums of binary fractions are off by must not decide a limit.
fn to_milliseconds(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

/// Whether the picture's duration (the sound's where there is no picture) and the file's size are plausible.
pub(crate) fn duration(
    policy: &Duration,
    measurements: &Measurements,
    picture: Option<(f64, f64)>,
    frames: u64,
) -> Check {
    let seconds = picture.map_or_else(|| decoded_duration(measurements, None), |(begin, end)| end - begin);
    let seconds = to_milliseconds(seconds);
    let few = picture.is_some() && frames < 2;
    let length = if few { count(frames, "frame") } else { clock(seconds) };
    let finding = Finding::new(
        Code::QcDuration,
        "duration",
        format!("{length}, {}", bytes(measurements.size)),
        format!("{} to {}, {} GB", span(policy.min_s), span(policy.max_s), decimal(policy.max_size_gb, 3)),
    );
    if few || !(policy.min_s..=policy.max_s).contains(&seconds) {
        finding
            .reject("Play the file: is this the whole film, and only the film? Ask for a new export if not.")
    } else if measurements.size as f64 > policy.max_size_gb * 1e9 {
        finding.reject("Ask for the film in a leaner format.")
    } else {
        finding.pass()
    }
}

/// Whether the file ends before its header says.
pub(crate) fn completeness(
    policy: &Truncation,
    measurements: &Measurements,
    video: Option<&VideoMeasurement>,
    picture: Option<(f64, f64)>,
) -> Check {
    let stated = measurements.header_duration.filter(|seconds| seconds.is_finite() && *seconds > 0.0);
    let decoded = decoded_duration(measurements, picture);
    let end = extent(measurements, picture).map(|(_, end)| end);
    let missing = match (stated, end) {
        (Some(stated), Some(end)) if is_explained(policy, measurements, stated, end) => 0.0,
        (Some(stated), _) => to_milliseconds(stated - decoded),
        (None, _) => 0.0,
    };
    let missing_frames = video
        .and_then(|video| video.header_frames.map(|stated| stated.saturating_sub(video.frames)))
        .unwrap_or(0);
    let mut value = match stated {
        Some(stated) => format!("{} of {} decoded", clock(decoded), clock(stated)),
        None => format!("{} decoded, no duration stated", clock(decoded)),
    };
    if missing_frames > policy.max_missing_frames {
        value.push_str(&format!("; {} fewer than stated", count(missing_frames, "frame")));
    }
    if measurements.read_errors > 0 {
        value.push_str(&format!("; {}", count(measurements.read_errors, "read error")));
    }
    let finding = Finding::new(
        Code::QcTruncated,
        "completeness",
        value,
        format!("at most {} missing", span(policy.max_missing_s)),
    );
    let whole = missing <= policy.max_missing_s && measurements.read_errors <= policy.max_read_errors;
    if !whole {
        finding.fail(
            policy.verdict,
            "Copy the file again and compare its size and MD5 with the supplier's: its end is missing or damaged.",
        )
    } else if missing_frames > policy.max_missing_frames {
        finding.fail(
            policy.missing_frames_verdict,
            "Watch the beginning and the end: a trimmed file hides frames, and these may be only such.",
        )
    } else {
        finding.pass()
    }
}

#[cfg(test)]
mod tests {
    use reelfarm_model::measurement::{Measurements, Ratio};
    use reelfarm_model::qc::Verdict;

    use crate::sample;

    #[test]
    fn durations_and_sizes_are_plausible() {
        sample::table(
            "duration",
            &[
                (Verdict::Pass, "00:00:10.000", &|_| {}),
                (Verdict::Pass, "00:00:01.000", &|m| *m = sample::at_rate(Ratio::new(25, 1), 1.0)),
                (Verdict::Reject, "00:00:00.960", &|m| *m = sample::at_rate(Ratio::new(25, 1), 0.96)),
                (Verdict::Pass, "12:00:00.000", &|m| *m = sample::at_rate(Ratio::new(25, 1), 43_200.0)),
                (Verdict::Reject, "12:00:00.040", &|m| *m = sample::at_rate(Ratio::new(25, 1), 43_200.04)),
                (Verdict::Reject, "1 frame", &|m| {
                    m.video[0].frames = 1;
                    m.video[0].last_time = m.video[0].first_time;
                }),
                (Verdict::Reject, "an unknown time", &|m| m.video[0].last_time = f64::NAN),
                (Verdict::Reject, "00:00:10.000, 2000.00 GB", &|m| m.size = 2_000_000_000_001),
                (Verdict::Pass, "00:00:10.000, 2000.00 GB", &|m| m.size = 2_000_000_000_000),
            ],
        );
    }

    #[test]
    fn a_file_that_ends_early_is_told_from_one_that_was_trimmed() {
        sample::table(
            "completeness",
            &[
                (Verdict::Pass, "00:00:10.000 of 00:00:10.000 decoded", &|_| {}),
                (Verdict::Pass, "00:00:10.000 of 00:00:10.500", &|m| m.header_duration = Some(10.5)),
                (Verdict::Reject, "00:00:10.000 of 00:00:10.600", &|m| m.header_duration = Some(10.6)),
                (Verdict::Pass, "00:00:10.000 of 00:00:09.000", &|m| m.header_duration = Some(9.0)),
                (Verdict::Pass, "00:00:10.000 of 00:00:10.900", &|m| {
                    m.header_duration = Some(10.9);
                    m.subtitles = vec![sample::subtitles(2)];
                    m.subtitles[0].end_time = 10.9;
                }),
                (Verdict::Reject, "00:00:10.000 of 00:00:20.000", &|m| {
                    m.header_duration = Some(20.0);
                    m.subtitles = vec![sample::subtitles(2)];
                    m.subtitles[0].end_time = 15.0;
                }),
                // The header says that the picture goes on as well.
                (Verdict::Reject, "00:00:10.000 of 00:00:20.000", &|m| {
                    (m.header_duration, m.header_end) = (Some(20.0), Some(20.0));
                    m.subtitles = vec![sample::subtitles(2)];
                    m.subtitles[0].end_time = 20.0;
                }),
                (Verdict::Pass, "no duration stated", &|m| m.header_duration = None),
                (Verdict::Pass, "no duration stated", &|m| m.header_duration = Some(f64::NAN)),
                (Verdict::Reject, "1 read error", &|m| m.read_errors = 1),
                (Verdict::Pass, "00:00:10.000 of", &|m| m.video[0].header_frames = Some(252)),
                (Verdict::Warn, "3 frames fewer than stated", &|m| m.video[0].header_frames = Some(253)),
                (Verdict::Pass, "00:00:10.000 of", &|m| m.video[0].header_frames = Some(200)),
            ],
        );
    }

    /// Both tracks begin so late.
    fn delay(film: &mut Measurements, seconds: f64) {
        let video = &mut film.video[0];
        video.first_time += seconds;
        video.last_time += seconds;
        video.key_frame_times.iter_mut().for_each(|time| *time += seconds);
        film.audio[0].first_time += seconds;
        film.audio[0].end_time += seconds;
    }

    #[test]
    fn a_late_start_is_not_missing_from_the_end() {
        sample::table(
            "completeness",
            &[
                (Verdict::Pass, "00:00:10.000 of 00:00:11.500", &|m| {
                    delay(m, 1.5);
                    m.header_duration = Some(11.5);
                }),
                (Verdict::Pass, "00:00:10.000 of 00:00:12.000", &|m| {
                    delay(m, 1.5);
                    m.header_duration = Some(12.0);
                }),
                (Verdict::Reject, "00:00:10.000 of 00:00:12.010", &|m| {
                    delay(m, 1.5);
                    m.header_duration = Some(12.01);
                }),
                (Verdict::Reject, "00:00:07.500 of 00:00:11.500", &|m| {
                    *m = sample::at_rate(Ratio::new(24, 1), 7.5);
                    delay(m, 1.5);
                    m.header_duration = Some(11.5);
                }),
                // Half of a film that begins late: its length is far from its end, and its end from the header's.
                (Verdict::Reject, "00:00:10.000 of 00:02:00.000", &|m| {
                    delay(m, 60.0);
                    m.header_duration = Some(120.0);
                    m.header_end = Some(120.0);
                }),
            ],
        );
    }

    #[test]
    fn chapters_and_data_may_outlive_the_film() {
        sample::table(
            "completeness",
            &[
                (Verdict::Pass, "00:00:10.000 of 00:01:00.000", &|m| {
                    (m.header_duration, m.header_end) = (Some(60.0), Some(10.0));
                }),
                (Verdict::Pass, "00:00:10.000 of 00:01:00.000", &|m| {
                    (m.header_duration, m.header_end) = (Some(60.0), Some(10.5));
                }),
                (Verdict::Reject, "00:00:10.000 of 00:01:00.000", &|m| {
                    (m.header_duration, m.header_end) = (Some(60.0), Some(10.51));
                }),
                (Verdict::Reject, "00:00:10.000 of 00:01:00.000", &|m| {
                    (m.header_duration, m.header_end) = (Some(60.0), Some(9.49));
                }),
                (Verdict::Reject, "1 read error", &|m| {
                    (m.header_duration, m.header_end, m.read_errors) = (Some(60.0), Some(10.0), 1);
                }),
            ],
        );
    }
}
