//! Pictures and fields that are shown more than once, as a changed frame rate leaves them, and how regularly they return.

use reelfarm_model::measurement::Span;
use reelfarm_model::measurement::picture::Cadence;

use super::patterns::PatternRecorder;
use super::repeats::{Judged, RepeatMeter};

/// Gathers the [`Cadence`] of pictures.
#[derive(Debug, Default)]
pub(super) struct CadenceRecorder {
    pictures: RepeatMeter,
    patterns: PatternRecorder,
}

impl CadenceRecorder {
    /// Takes in a frame, when it is shown, and by how much it differs from the one before in its busiest part; `None` where
    /// there is none to compare with.
    pub(super) fn push(&mut self, shown: Span, difference: Option<f64>) {
        if let Some(judged) = self.pictures.push(shown, difference) {
            self.patterns.push(judged);
        }
    }

    /// What was found.
    pub(super) fn finish(mut self) -> Cadence {
        self.pictures.finish().into_iter().for_each(|judged| self.patterns.push(judged));
        self.patterns.finish()
    }
}

/// Gathers the [`Cadence`] of fields, by those that repeat while the other of their frame does not: so telecine leaves them.
/// In 3:2 every fifth field is a repeat, in 24 frames made 25 every twenty-fifth.
#[derive(Debug, Default)]
pub(super) struct FieldCadenceRecorder {
    /// Upper and lower.
    fields: [RepeatMeter; 2],
    patterns: PatternRecorder,
}

impl FieldCadenceRecorder {
    /// Takes in a frame, when it is shown, and by how much its upper and its lower field differ from those of the one before.
    pub(super) fn push(&mut self, shown: Span, differences: Option<[f64; 2]>) {
        let [upper, lower] = &mut self.fields;
        let upper = upper.push(shown, differences.map(|[upper, _]| upper));
        let lower = lower.push(shown, differences.map(|[_, lower]| lower));
        if let (Some(upper), Some(lower)) = (upper, lower) {
            push(&mut self.patterns, upper, lower);
        }
    }

    /// What was found.
    pub(super) fn finish(mut self) -> Cadence {
        let [upper, lower] = self.fields.map(RepeatMeter::finish);
        upper.into_iter().zip(lower).for_each(|(upper, lower)| push(&mut self.patterns, upper, lower));
        self.patterns.finish()
    }
}

fn push(patterns: &mut PatternRecorder, upper: Judged, lower: Judged) {
    let Span { start, end } = upper.shown;
    let middle = (start + end) / 2.0;
    let alone = |field: Judged, other: Judged| (field.repeat - other.repeat).max(0.0);
    patterns.push(Judged { shown: Span { start, end: middle }, repeat: alone(upper, lower), ..upper });
    patterns.push(Judged { shown: Span { start: middle, end }, repeat: alone(lower, upper), ..lower });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::synthetic::Random;

    /// The cadence of frames at a rate, which differ by so much from those before.
    fn cadence_of(rate: f64, differences: impl IntoIterator<Item = f64>) -> Cadence {
        let mut recorder = CadenceRecorder::default();
        for (frame, difference) in differences.into_iter().enumerate() {
            let start = frame as f64 / rate;
            recorder.push(Span { start, end: start + 1.0 / rate }, (frame > 0).then_some(difference));
        }
        recorder.finish()
    }

    /// Differences of moving pictures whose speed changes, with a cut every 83 frames and coding noise in repeats.
    fn differences(frames: usize, mut repeats: impl FnMut(usize) -> bool) -> Vec<f64> {
        let mut random = Random(5);
        (0..frames)
            .map(|frame| {
                let speed = 0.03 * (1.2 + (frame as f64 / 30.0).sin());
                match (repeats(frame), frame % 83) {
                    (true, _) => 0.0003 * random.uniform(),
                    (false, 40) => 0.2,
                    (false, _) => speed * (0.7 + 0.6 * random.uniform()),
                }
            })
            .collect()
    }

    #[test]
    fn conversions_of_the_frame_rate_are_told_apart() {
        for (rate, from, to) in [
            (25, 24, 25),
            (50, 25, 50),
            (30, 24, 30),
            (60, 24, 60),
            (50, 24, 50),
            (60, 25, 60),
            (30, 25, 30),
            (60, 12, 60),
            (60, 15, 60),
        ] {
            let repeats = |frame: usize| frame > 0 && frame * from / to == (frame - 1) * from / to;
            let found = cadence_of(f64::from(rate), differences(3_000, repeats));
            let share = found.repeats as f64 / found.moving_frames as f64;
            let expected = 1.0 - from as f64 / to as f64;
            assert!((share - expected).abs() < 0.01, "{from} in {to}: {share} {found:?}");
            let pattern = found.patterns[0];
            let same_ratio = pattern.pictures as usize * to == pattern.period as usize * from;
            assert!(same_ratio && pattern.period as usize <= to, "{from} in {to}: {pattern:?}");
            assert!(pattern.seconds > 0.95 * found.judged_seconds, "{from} in {to}: {found:?}");
            assert!(pattern.longest > 0.95 * 3_000.0 / f64::from(rate), "{from} in {to}: {found:?}");
            assert!(pattern.regularity > 0.97, "{from} in {to}: {pattern:?}");
        }
    }

    #[test]
    fn conversions_of_ntsc_rates_are_told_apart() {
        for (rate, from) in
            [(25, 24_000), (30, 24_000), (50, 24_000), (60, 24_000), (50, 30_000), (60, 30_000), (48, 24_000)]
        {
            let to = rate * 1001;
            let repeats = |frame: usize| frame > 0 && frame * from / to == (frame - 1) * from / to;
            let found = cadence_of(rate as f64, differences(4_000, repeats));
            let pattern = found.patterns[0];
            assert_eq!(
                (pattern.period, pattern.pictures as usize * rate),
                (1001, from),
                "{from} in {to}: {found:?}"
            );
            assert!(
                pattern.longest > 3_999.0 / rate as f64 && pattern.regularity > 0.95,
                "{from} in {to}: {pattern:?}"
            );
        }
    }

    #[test]
    fn a_repeat_in_1001_frames_takes_seven_minutes_to_be_told() {
        for (frames, is_told) in [(9_000, false), (12_000, true)] {
            let found = cadence_of(24.0, differences(frames, |frame| frame % 1001 == 400));
            let pattern = found.patterns.first().map(|pattern| (pattern.period, pattern.pictures));
            assert_eq!(pattern, is_told.then_some((1001, 1000)), "{found:?}");
        }
        // One in a thousand, but at any time.
        let mut random = Random(2);
        let found = cadence_of(24.0, differences(24_000, |_| random.below(1_000) == 0));
        assert_eq!(found.patterns, []);
    }

    #[test]
    fn noisy_repeats_are_told_by_their_places() {
        // As of H.264 and MPEG-2 at lean rates: repeats differ by a tenth to a half of what their neighbours do, and by more
        // now and then; of the others one in fifty differs by less.
        for (rate, from, to) in [(25.0, 24, 25), (30.0, 24, 30), (48.0, 24, 48), (60.0, 24, 60)] {
            let repeats = |frame: usize| frame > 0 && frame * from / to == (frame - 1) * from / to;
            let mut random = Random(4);
            let noisy = (0..3_000).map(|frame| {
                let share = match (repeats(frame), random.below(50)) {
                    (true, 0..5) => 0.7,
                    (true, _) => 0.1 + 0.4 * random.uniform(),
                    (false, 0) => 0.3,
                    (false, _) => 0.8 + 0.2 * random.uniform(),
                };
                0.03 * share
            });
            let found = cadence_of(rate, noisy.collect::<Vec<_>>());
            let pattern = found.patterns[0];
            assert_eq!(
                pattern.pictures as usize * to,
                pattern.period as usize * from,
                "{from} in {to}: {found:?}"
            );
            assert!(pattern.seconds > 0.95 * found.judged_seconds, "{from} in {to}: {found:?}");
        }
    }

    /// The cadence of fields, two a frame, which repeat as told by their number.
    fn field_cadence_of(frames: usize, repeats: impl Fn(usize) -> bool) -> Cadence {
        let mut recorder = FieldCadenceRecorder::default();
        let fields = differences(2 * frames, repeats);
        for (frame, fields) in fields.chunks(2).enumerate() {
            let start = frame as f64 / 25.0;
            recorder.push(Span { start, end: start + 0.04 }, (frame > 0).then_some([fields[0], fields[1]]));
        }
        recorder.finish()
    }

    #[test]
    fn telecine_repeats_fields_and_a_change_of_rate_frames() {
        let upper_first = |number: usize| number;
        let lower_first = |number: usize| number ^ 1;
        for (fields, repeated, expected) in [
            (5, vec![4], (5, 4)),
            (10, vec![4, 7], (10, 8)),
            (25, vec![24], (25, 24)),
            (12, vec![4, 11], (12, 10)),
        ] {
            let found = field_cadence_of(1_000, |field| repeated.contains(&(upper_first(field) % fields)));
            let pattern = found.patterns[0];
            assert_eq!((pattern.period, pattern.pictures), expected, "{found:?}");
            let found = field_cadence_of(1_000, |field| repeated.contains(&(lower_first(field) % fields)));
            let pattern = found.patterns[0];
            assert_eq!(pattern.pictures * expected.0, pattern.period * expected.1, "{found:?}");
            assert!(pattern.seconds > 0.85 * found.judged_seconds, "{found:?}");
        }
        for (frames, repeated) in [(25, 12), (5, 3), (2, 1)] {
            let found = field_cadence_of(1_000, |field| (field / 2) % frames == repeated);
            assert!(found.patterns.is_empty() && found.repeats < 5, "{found:?}");
        }
        let found = field_cadence_of(1_000, |_| false);
        assert!(found.patterns.is_empty() && found.repeats < 5 && found.moving_frames == 2_000, "{found:?}");
    }

    #[test]
    fn without_repeats_there_is_no_pattern() {
        let found = cadence_of(25.0, differences(3_000, |_| false));
        assert_eq!((found.repeats, found.moving_frames), (0, 3_000));
        assert_eq!(found.patterns, []);
    }

    /// Drawings are held for two frames, now and then for one or three, or while nothing moves.
    #[test]
    fn animation_on_twos_loses_step() {
        let (mut random, mut held) = (Random(9), 0);
        let found = cadence_of(
            24.0,
            differences(6_000, |_| {
                if held == 0 {
                    held = match random.below(20) {
                        0 => 1,
                        1 => 3,
                        2 => 20 + random.below(20),
                        _ => 2,
                    };
                    held -= 1;
                    return false;
                }
                held -= 1;
                true
            }),
        );
        assert!(found.repeats > found.moving_frames / 3, "{found:?}");
        for pattern in &found.patterns {
            assert!(pattern.seconds < 0.2 * found.judged_seconds && pattern.longest < 30.0, "{found:?}");
        }
    }

    #[test]
    fn repeats_at_random_make_no_pattern() {
        for share in [2, 3, 5, 10, 25] {
            let mut random = Random(share);
            let found = cadence_of(25.0, differences(6_000, |_| random.below(share) == 0));
            assert!(found.repeats > 0);
            assert!(found.patterns.is_empty(), "{share}: {found:?}");
        }
    }

    #[test]
    fn a_picture_that_stands_still_does_not_repeat() {
        let still_half = |frame: usize| (frame / 100).is_multiple_of(2);
        let found = cadence_of(25.0, differences(3_000, still_half));
        assert_eq!(found.repeats, 0);
        assert!((1_500..1_600).contains(&found.moving_frames), "{found:?}");
        let found = cadence_of(25.0, vec![0.001; 3_000]);
        assert_eq!((found.moving_frames, found.judged_seconds), (1, 0.0), "noise");
    }

    #[test]
    fn a_pattern_goes_on_after_a_still() {
        let repeats = |frame: usize| frame % 25 == 7 || (1_000..1_700).contains(&frame);
        let found = cadence_of(25.0, differences(3_000, repeats));
        let pattern = found.patterns[0];
        assert_eq!((pattern.period, pattern.pictures), (25, 24));
        assert!(pattern.longest > 110.0, "{pattern:?}");
    }

    #[test]
    fn a_handful_of_frames_is_counted() {
        for frames in 0..12 {
            let found = cadence_of(25.0, vec![0.1; frames]);
            assert_eq!((found.moving_frames, found.repeats), (frames as u64, 0));
        }
    }
}
