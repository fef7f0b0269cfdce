//! How many flashes there are in a second, and when there are too many.

use std::collections::VecDeque;

use reelfarm_model::measurement::Span;
use reelfarm_model::measurement::picture::Flashes;

use super::flash::Edges;
use crate::spans::SpanRecorder;

/// What may be in a second (ITU-R BT.1702-3, Annex 1; WCAG 2.1, success criterion 2.3.1).
const PERMITTED: usize = 3;

/// Gathers [`Flashes`].
#[derive(Debug)]
pub(super) struct FlashRecorder {
    /// The edges of the last second, rises and falls, by the time of the pictures that brought them.
    last: [VecDeque<f64>; 2],
    counts: [u64; 2],
    most: usize,
    worst: Option<f64>,
    open: Option<Span>,
    /// The last stretch that ended; the next one may begin within it.
    ended: Option<Span>,
    too_many: SpanRecorder,
}

impl Default for FlashRecorder {
    fn default() -> Self {
        Self {
            last: Default::default(),
            counts: [0; 2],
            most: 0,
            worst: None,
            open: None,
            ended: None,
            too_many: SpanRecorder::new(0.0),
        }
    }
}

impl FlashRecorder {
    /// Takes in the edges that a picture brought. `interval` is the usual time between pictures.
    pub(super) fn push(&mut self, shown: Span, edges: Edges, interval: f64) {
        // A second does not hold both its ends, whatever the clock rounds.
        let second = 1.0 - interval.min(1.0) / 2.0;
        let brought = [edges.rises, edges.falls];
        for ((last, count), brought) in self.last.iter_mut().zip(&mut self.counts).zip(brought) {
            while last.front().is_some_and(|time| shown.start - time >= second) {
                last.pop_front();
            }
            if brought {
                last.push_back(shown.start);
                *count += 1;
            }
        }
        // A flash is a rise and a fall, in either order; one that has begun counts.
        let flashes = self.last.iter().map(VecDeque::len).max().unwrap_or_default();
        let first = self.last.iter().filter_map(|last| last.front()).copied().fold(shown.start, f64::min);
        if flashes > self.most {
            (self.most, self.worst) = (flashes, Some(first));
        }
        if flashes <= PERMITTED {
            self.close();
        } else if brought.contains(&true) {
            if self.open.is_none() {
                self.open = self.ended.take_if(|ended| first <= ended.end);
            }
            self.open.get_or_insert(Span { start: first, end: shown.end }).end = shown.end;
        }
    }

    /// Whether there are too many just now, and since when.
    pub(super) fn too_many_since(&self) -> Option<f64> {
        self.open.map(|open| open.start)
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            self.keep();
            self.ended = Some(open);
        }
    }

    fn keep(&mut self) {
        if let Some(Span { start, end }) = self.ended.take() {
            self.too_many.push(start, end, true);
            self.too_many.push(end, end, false);
        }
    }

    /// What was found.
    pub(super) fn finish(mut self) -> Flashes {
        self.close();
        self.keep();
        Flashes {
            count: self.counts.into_iter().max().unwrap_or_default(),
            most_in_a_second: u32::try_from(self.most).unwrap_or(u32::MAX),
            worst_second: self.worst,
            too_many: self.too_many.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Flashes at so many a second, half a second into 3 s at a frame rate, for two seconds.
    fn flashes_at(frequency: f64, rate: f64) -> Flashes {
        let mut recorder = FlashRecorder::default();
        let is_on = |frame: i32| {
            let time = f64::from(frame) / rate - 0.5 + 1e-9;
            (0.0..2.0).contains(&time) && (time * frequency).fract() < 0.5
        };
        for frame in 1..(3.0 * rate) as i32 {
            let (now, before) = (is_on(frame), is_on(frame - 1));
            let start = f64::from(frame) / rate;
            let edges = Edges { rises: now && !before, falls: before && !now };
            recorder.push(Span { start, end: start + 1.0 / rate }, edges, 1.0 / rate);
        }
        recorder.finish()
    }

    #[test]
    fn three_a_second_are_permitted_and_four_are_not() {
        for rate in [23.976, 24.0, 25.0, 29.97, 30.0, 50.0, 60.0] {
            let found = flashes_at(3.0, rate);
            assert_eq!((found.count, found.most_in_a_second, found.too_many.count), (6, 3, 0), "{rate}");
            let found = flashes_at(4.0, rate);
            assert_eq!((found.count, found.most_in_a_second, found.too_many.count), (8, 4, 1), "{rate}");
            let span = found.too_many.first[0];
            assert!((span.start - 0.5).abs() < 1.5 / rate, "{rate}: {span:?}");
            assert!((span.end - 2.375).abs() < 2.5 / rate, "{rate}: {span:?}");
            assert!(found.worst_second.is_some_and(|time| (time - 0.5).abs() < 1.5 / rate));
        }
    }

    #[test]
    fn stretches_that_overlap_are_one() {
        // Ten at five a second, of which one is missed, and after two seconds four more.
        let mut recorder = FlashRecorder::default();
        for frame in 0..250 {
            let is_on =
                frame % 5 == 0 && (frame < 50 || (100..120).contains(&frame)) && ![15, 20].contains(&frame);
            let start = f64::from(frame) / 25.0;
            recorder.push(Span { start, end: start + 0.04 }, Edges { rises: is_on, falls: false }, 0.04);
        }
        let found = recorder.finish();
        let spans: Vec<_> = found.too_many.first.iter().map(|span| (span.start, span.end)).collect();
        assert_eq!(spans.len(), 2, "{spans:?}");
        assert!(spans[0].0 >= 0.0 && spans[0].1 < 2.0 && (spans[1].0 - 4.0).abs() < 0.01, "{spans:?}");
    }

    #[test]
    fn without_flashes_there_is_nothing() {
        assert_eq!(FlashRecorder::default().finish(), Flashes::default());
    }
}
