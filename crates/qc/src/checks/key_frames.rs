//! Does the film begin with a key frame, can its first frames be decoded, and are there enough key frames.

use reelfarm_model::Code;
use reelfarm_model::measurement::{Span, VideoMeasurement};
use reelfarm_model::qc::Check;

use super::timeline::{longer_than, longest};
use super::{Finding, Timeline, exceeds};
use crate::policy::KeyFrames;
use crate::text::{count, span};

/// Whether the first frame is a key frame, and the next ones follow soon enough. `picture` is when the picture begins and
/// ends.
pub(crate) fn key_frames(
    policy: &KeyFrames,
    video: &VideoMeasurement,
    picture: (f64, f64),
    timeline: Timeline,
) -> Check {
    let times = &video.key_frame_times;
    let late =
        times.first().map(|first| first - video.first_time).filter(|late| is_late(*late, video, picture));
    let lost = video
        .first_packet_time
        .map(|first| video.first_time - first)
        .filter(|lost| is_late(*lost, video, picture));
    let all_are_known = times.len() as u64 == video.key_frames;
    let end = Some(picture.1).filter(|_| all_are_known);
    let between: Vec<Span> = times
        .iter()
        .zip(times.iter().skip(1).copied().chain(end))
        .map(|(start, end)| Span { start: *start, end })
        .collect();
    let known = longest(&between).map_or(0.0, |longest| longest.end - longest.start);
    // Of more than are listed, only the longest distance is known.
    let distance = video.longest_key_frame_distance.max(known);
    let mut value = format!("{}, up to {} apart", count(video.key_frames, "key frame"), span(distance));
    if let Some(late) = late {
        value.push_str(&format!("; the first one {} late", span(late)));
    }
    if let Some(lost) = lost {
        value.push_str(&format!("; {} before the first frame cannot be decoded", span(lost)));
    }
    let limit = format!("one at the start, at most {} apart", span(policy.max_distance_s));
    let far = longer_than(&between, policy.max_distance_s);
    let beginning =
        late.or(lost.map(|_| 0.0)).map(|late| Span { start: video.first_time, end: video.first_time + late });
    let finding = Finding::new(Code::QcKeyFrames, "key frames", value, limit)
        .at(timeline.places(beginning.iter().chain(&far)));
    if late.is_some() || lost.is_some() || video.key_frames == 0 {
        finding.fail(
            policy.verdict,
            "Watch the first seconds: frames before the first key frame hang on one that was cut away. Ask for an export that begins with a key frame.",
        )
    } else if exceeds(distance, policy.max_distance_s) {
        finding.fail(
            policy.verdict,
            "The farm makes it, but seeking in the original is slow, and long films are made in fewer pieces at a time. Ask for a key frame every few seconds.",
        )
    } else {
        finding.pass()
    }
}

/// Whether the first key frame comes later than half a frame after the first frame: a clock may round.
fn is_late(late: f64, video: &VideoMeasurement, picture: (f64, f64)) -> bool {
    let frame = (picture.1 - picture.0) / video.frames.max(1) as f64;
    late > frame / 2.0
}

#[cfg(test)]
mod tests {
    use reelfarm_model::Measurements;
    use reelfarm_model::qc::Verdict;

    use crate::sample;

    fn at(film: &mut Measurements, times: &[f64]) {
        let video = &mut film.video[0];
        video.key_frame_times = times.to_vec();
        video.key_frames = times.len() as u64;
        let distances = times.windows(2).map(|pair| pair[1] - pair[0]);
        video.longest_key_frame_distance = distances.fold(0.0, f64::max);
    }

    fn of_a_minute() -> Measurements {
        sample::at_rate(reelfarm_model::measurement::Ratio::new(25, 1), 60.0)
    }

    #[test]
    fn key_frames_come_first_and_often() {
        sample::table(
            "key frames",
            &[
                (Verdict::Pass, "5 key frames, up to 2 s apart", &|_| {}),
                (Verdict::Pass, "1 key frame, up to 10 s apart", &|m| at(m, &[0.0])),
                (Verdict::Pass, "up to 10.5 s apart", &|m| {
                    *m = of_a_minute();
                    at(m, &[0.0, 10.0, 20.5, 30.0, 40.0, 50.0]);
                }),
                (Verdict::Warn, "up to 10.54 s apart", &|m| {
                    *m = of_a_minute();
                    at(m, &[0.0, 10.0, 20.54, 30.0, 40.0, 50.0]);
                }),
                (Verdict::Warn, "1 key frame, up to 60 s apart", &|m| {
                    *m = of_a_minute();
                    at(m, &[0.0]);
                }),
                (Verdict::Warn, "up to 30 s apart", &|m| {
                    // Of more than are listed, only the longest distance is known.
                    *m = of_a_minute();
                    m.video[0].key_frames = 20_001;
                    m.video[0].longest_key_frame_distance = 30.0;
                }),
                (Verdict::Pass, "up to 2 s apart", &|m| m.video[0].key_frame_times[0] += 0.02),
                (Verdict::Warn, "the first one 40 ms late", &|m| m.video[0].key_frame_times[0] += 0.04),
                (Verdict::Pass, "up to 3 s apart", &|m| m.video[0].key_frame_times[0] -= 1.0),
                (Verdict::Warn, "0 key frames", &|m| at(m, &[])),
                (Verdict::Pass, "up to 2 s apart", &|m| m.video[0].first_packet_time = Some(0.0)),
                (Verdict::Pass, "up to 2 s apart", &|m| m.video[0].first_packet_time = Some(-0.02)),
                (Verdict::Warn, "40 ms before the first frame cannot be decoded", &|m| {
                    m.video[0].first_packet_time = Some(-0.04);
                }),
                (Verdict::Pass, "up to 2 s apart", &|m| m.video[0].first_packet_time = Some(0.04)),
                (Verdict::Pass, "up to 2 s apart", &|m| m.video[0].first_packet_time = Some(f64::NAN)),
            ],
        );
    }

    #[test]
    fn places_are_named() {
        let mut film = of_a_minute();
        at(&mut film, &[0.4, 10.0, 30.0, 50.0]);
        assert_eq!(sample::places(&film, "key frames"), ["00:00:00:00", "00:00:10:00", "00:00:30:00"]);
        at(&mut film, &[0.0, 10.0]);
        assert_eq!(sample::places(&film, "key frames"), ["00:00:10:00"], "up to the end");
    }
}
