//! Stretches of time in which something is the case.

use reelfarm_model::measurement::{Span, Spans};

/// Stretches that are kept; beyond so many they are only counted.
const KEPT: usize = 1_000;

/// Gathers [`Spans`] from frames or blocks of samples, one after the other.
#[derive(Clone, Debug)]
pub(crate) struct SpanRecorder {
    /// Shorter ones do not count, in seconds.
    least: f64,
    open: Option<Span>,
    found: Spans,
}

impl SpanRecorder {
    /// None yet. Those shorter than `least` seconds are not kept.
    pub(crate) fn new(least: f64) -> Self {
        Self { least, open: None, found: Spans::default() }
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
        // Half a microsecond of rounding is no reason to leave one out.
        let Some(span) = self.open.take().filter(|span| span.end - span.start >= self.least - 5e-7) else {
            return;
        };
        self.found.count += 1;
        self.found.seconds += span.end - span.start;
        if self.found.first.len() < KEPT {
            self.found.first.push(span);
        }
    }

    /// What was found.
    pub(crate) fn finish(mut self) -> Spans {
        self.close();
        self.found
    }
}

#[cfg(test)]
mod tests {
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
    }
}
