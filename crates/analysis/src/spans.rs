//! Stretches of time in which something is the case.

use reelfarm_model::measurement::{Span, Spans};

/// Stretches that are kept, the longest; beyond so many they are only counted.
const KEPT: usize = 1_000;
/// Half a microsecond of rounding makes no stretch longer than another, in seconds.
const ROUNDING: f64 = 5e-7;

/// Gathers [`Spans`] from frames or blocks of samples, one after the other.
#[derive(Clone, Debug)]
pub(crate) struct SpanRecorder {
    /// Shorter ones do not count, in seconds.
    least: f64,
    open: Option<Span>,
    found: Spans,
    /// The length of the shortest that is kept, once there is no room for more: there may be millions.
    shortest_kept: Option<f64>,
}

impl SpanRecorder {
    /// None yet. Those shorter than `least` seconds are not kept.
    pub(crate) fn new(least: f64) -> Self {
        Self { least, open: None, found: Spans::default(), shortest_kept: None }
    }

    /// Whether it is the case from `start` to `end`, in seconds.
    pub(crate) fn push(&mut self, start: f64, end: f64, is_so: bool) {
        match (&mut self.open, is_so) {
            (Some(open), true) => open.end = end,
            (None, true) => self.open = Some(Span { start, end }),
            (_, false) => self.close(),
        }
    }

    fn close(&mut self) {
        let Some(span) = self.open.take().filter(|span| length(span) >= self.least - ROUNDING) else {
            return;
        };
        self.found.count += 1;
        self.found.seconds += length(&span);
        self.keep(span);
    }

    /// Keeps one if there is room, or if it is longer than the shortest, whose place it takes at the end.
    fn keep(&mut self, span: Span) {
        let kept = &mut self.found.first;
        if kept.len() < KEPT {
            kept.push(span);
            return;
        }
        let least = *self.shortest_kept.get_or_insert_with(|| shortest(kept.as_slice()));
        if length(&span) <= least + ROUNDING {
            return;
        }
        if let Some(at) = kept.iter().rposition(|other| length(other) <= least) {
            kept.remove(at);
            kept.push(span);
        }
        self.shortest_kept = Some(shortest(kept.as_slice()));
    }

    /// What was found.
    pub(crate) fn finish(mut self) -> Spans {
        self.close();
        self.found
    }
}

fn shortest(kept: &[Span]) -> f64 {
    kept.iter().map(length).fold(f64::INFINITY, f64::min)
}

fn length(span: &Span) -> f64 {
    span.end - span.start
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stretches_are_joined_and_short_ones_left_out() {
        let mut recorder = SpanRecorder::new(0.08);
        for (frame, is_so) in [true, true, false, true, false, true, true, true].into_iter().enumerate() {
            recorder.push(frame as f64 * 0.04, (frame + 1) as f64 * 0.04, is_so);
        }
        let found = recorder.finish();
        assert_eq!(found.count, 2);
        assert!((found.seconds - 0.2).abs() < 1e-9);
        assert!((found.first[1].start - 0.2).abs() < 1e-9 && (found.first[1].end - 0.32).abs() < 1e-9);
    }

    #[test]
    fn beyond_a_thousand_they_are_counted() {
        let mut recorder = SpanRecorder::new(0.0);
        for frame in 0..4_000 {
            recorder.push(f64::from(frame), f64::from(frame + 1), frame % 2 == 0);
        }
        let found = recorder.finish();
        assert_eq!((found.count, found.first.len(), found.seconds), (2_000, 1_000, 2_000.0));
        assert_eq!(found.first[999], Span { start: 1_998.0, end: 1_999.0 }, "of those alike the first");
    }

    #[test]
    fn a_long_one_after_thousands_is_kept() {
        let mut recorder = SpanRecorder::new(0.0);
        for frame in 0..10_000 {
            recorder.push(f64::from(frame), f64::from(frame + 1), frame % 2 == 0 || frame >= 9_990);
        }
        let found = recorder.finish();
        assert_eq!((found.count, found.first.len()), (4_996, 1_000));
        assert_eq!(found.first[999], Span { start: 9_990.0, end: 10_000.0 });
        assert_eq!(
            found.first[998],
            Span { start: 1_996.0, end: 1_997.0 },
            "of those alike the last makes room"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn the_longest_are_kept_in_their_order(lengths in prop::collection::vec(1_u32..500, 900..1_600)) {
            let mut recorder = SpanRecorder::new(0.0);
            let mut time = 0.0;
            for length in &lengths {
                recorder.push(time, time + f64::from(*length), true);
                recorder.push(time + f64::from(*length), time + f64::from(*length) + 1.0, false);
                time += f64::from(*length) + 1.0;
            }
            let found = recorder.finish();
            prop_assert_eq!(found.count, lengths.len() as u64);
            prop_assert!(found.first.windows(2).all(|pair| pair[0].end < pair[1].start));
            let mut kept: Vec<u32> = found.first.iter().map(|span| length(span) as u32).collect();
            kept.sort_unstable();
            let mut longest = lengths;
            longest.sort_unstable();
            let shorter = longest.len().saturating_sub(KEPT);
            prop_assert_eq!(kept, longest.split_off(shorter));
        }
    }
}
