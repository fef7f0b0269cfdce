//! What the planner is told of the work that a film will be: where decoding can begin, and how much there is to encode.

use reelfarm_model::measurement::VideoMeasurement;
use reelfarm_model::qc::{Complexity, DecodingStarts, KeyFrameRun};

/// The largest number of frames that is told: those of a day at 100 a second are a tenth of it.
const MOST_FRAMES: f64 = 1e8;

/// How far a frame may lie from its place for its time to say its number, in frames.
const MOST_DEVIATION: f64 = 0.4;

/// Whether packets of a container say when they are decoded, and not when they are shown.
fn has_no_times(container: &str) -> bool {
    container.split(',').any(|name| name == "avi")
}

/// Where decoding can begin: the key frames, by the numbers of their frames at a constant rate in frames a second. Key frames
/// before the first frame or after the last one are none of the film's. Nothing is told where frames can't be known by their
/// times, or where damage may decode otherwise from another place.
pub(crate) fn decoding_starts(container: &str, video: &VideoMeasurement, rate: u32) -> DecodingStarts {
    let faults = [
        video.missing_times,
        video.backward_times,
        video.decode_errors,
        video.format_changes,
        video.gaps.count,
    ];
    let film_start_us = (video.first_time * 1e6).round();
    let is_on_grid = video.mean_deviation.is_some_and(|most| most * f64::from(rate) <= MOST_DEVIATION);
    let is_known = film_start_us.is_finite() && is_on_grid && !has_no_times(container);
    if faults.iter().any(|fault| *fault > 0) || !is_known {
        return DecodingStarts::default();
    }
    let number = |time: &f64| {
        let number = ((time - video.first_time) * f64::from(rate)).round();
        (0.0..MOST_FRAMES).contains(&number).then_some(number as u64)
    };
    let mut numbers: Vec<u64> =
        video.key_frame_times.iter().filter_map(number).filter(|number| *number < video.frames).collect();
    numbers.sort_unstable();
    numbers.dedup();
    DecodingStarts {
        key_frames: runs(&numbers),
        open_groups: video.leading_pictures > 0,
        film_start_us: Some(film_start_us as i64),
    }
}

/// Rising numbers as runs of an equal distance.
fn runs(numbers: &[u64]) -> Vec<KeyFrameRun> {
    let mut runs: Vec<KeyFrameRun> = Vec::new();
    let mut last = 0;
    for number in numbers {
        match runs.last_mut() {
            Some(run) if run.count == 1 || number - last == run.distance => {
                run.distance = number - last;
                run.count += 1;
            }
            _ => runs.push(KeyFrameRun { first: *number, distance: 0, count: 1 }),
        }
        last = *number;
    }
    runs
}

/// How much there is to encode; `None` where no picture was looked at.
pub(crate) fn complexity(video: &VideoMeasurement) -> Option<Complexity> {
    let picture = video.picture.as_ref()?;
    let spatial = video.detail.as_ref().and_then(|detail| detail.spatial_information);
    Some(Complexity {
        // What is no number becomes zero.
        spatial_information: spatial.map(|spatial| spatial.round() as u32),
        motion_permille: (picture.motion * 1000.0).round() as u32,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sample;

    fn run(first: u64, distance: u64, count: u64) -> KeyFrameRun {
        KeyFrameRun { first, distance, count }
    }

    fn of(times: &[f64], leading_pictures: u64) -> DecodingStarts {
        let mut video = sample::clean().video.remove(0);
        video.first_time = 1.4;
        video.key_frame_times = times.iter().map(|time| time + 1.4).collect();
        video.leading_pictures = leading_pictures;
        decoding_starts("mov,mp4", &video, 25)
    }

    #[test]
    fn key_frames_are_told_by_their_numbers_in_runs() {
        for (times, expected) in [
            (&[0.0, 2.0, 4.0, 6.0][..], &[run(0, 50, 4)][..]),
            // A clock of a thousandth of a second, and a cut.
            (&[0.0, 1.999, 4.001, 4.68, 6.68, 8.68], &[run(0, 50, 3), run(117, 50, 3)]),
            (&[0.0], &[run(0, 0, 1)]),
            (&[], &[]),
            // Hidden by an edit list, beyond the end, twice, no number.
            (&[-2.0, 0.0, 0.0, 9.96, 10.0, f64::NAN, 1e300], &[run(0, 249, 2)]),
        ] {
            assert_eq!(
                of(times, 0),
                DecodingStarts {
                    key_frames: expected.to_vec(),
                    open_groups: false,
                    film_start_us: Some(1_400_000)
                },
                "{times:?}"
            );
        }
        assert!(of(&[0.0], 3).open_groups);
    }

    #[test]
    fn nothing_is_told_of_frames_that_are_not_known_by_their_times() {
        let told = |bend: &dyn Fn(&mut VideoMeasurement)| {
            let mut video = sample::clean().video.remove(0);
            bend(&mut video);
            !decoding_starts("mov,mp4", &video, 25).is_unknown()
        };
        assert!(told(&|_| {}));
        assert!(!told(&|video| video.missing_times = 1));
        assert!(!told(&|video| video.backward_times = 1));
        assert!(!told(&|video| video.decode_errors = 1));
        assert!(!told(&|video| video.format_changes = 1));
        assert!(!told(&|video| video.first_time = f64::NAN));
        assert!(!told(&|video| video.gaps.count = 1));
        assert!(told(&|video| video.mean_deviation = Some(0.016)));
        assert!(!told(&|video| video.mean_deviation = Some(0.017)));
        let video = sample::clean().video.remove(0);
        assert!(decoding_starts("avi", &video, 25).is_unknown());
    }

    #[test]
    fn decoding_begins_at_the_last_key_frame_before_a_frame() {
        let starts = of(&[0.0, 1.999, 4.001, 4.68, 6.68, 8.68], 0);
        for (frame, expected) in
            [(0, 0), (49, 0), (50, 50), (116, 100), (117, 117), (166, 117), (167, 167), (9_999, 217)]
        {
            assert_eq!(starts.last_before(frame), Some(expected), "{frame}");
        }
        assert_eq!(of(&[0.4], 0).last_before(9), None);
    }

    #[test]
    fn complexity_is_told_in_round_numbers() {
        let mut video = sample::clean().video.remove(0);
        let told = complexity(&video).unwrap();
        assert_eq!((told.spatial_information, told.motion_permille), (Some(61), 21));
        video.detail = None;
        assert_eq!(complexity(&video).unwrap().spatial_information, None);
        video.picture = None;
        assert_eq!(complexity(&video), None);
    }

    proptest! {
        #[test]
        fn runs_say_each_number_once(numbers in proptest::collection::btree_set(0..2_000_u64, 0..60)) {
            let numbers: Vec<u64> = numbers.into_iter().collect();
            let said: Vec<u64> = runs(&numbers)
                .iter()
                .flat_map(|run| (0..run.count).map(|index| run.first + index * run.distance))
                .collect();
            prop_assert_eq!(said, numbers);
        }
    }
}
