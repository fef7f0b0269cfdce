//! A level over time, in at most two thousand buckets however long the film is.

use reelfarm_model::measurement::Curve;

/// Buckets that are kept: enough for every column of a wide page. At so many, each two become one.
const MOST: usize = 2_000;

/// Gathers a [`Curve`] of the largest value in each bucket.
#[derive(Clone, Debug)]
pub(super) struct CurveRecorder {
    start: f64,
    /// How long what each value is of lasts, in seconds.
    interval: f64,
    /// Values in a bucket.
    count: u32,
    values: Vec<Option<f32>>,
    /// The largest one of the bucket that is being filled.
    open: Option<f32>,
    /// Values in the bucket that is being filled.
    filled: u32,
}

impl CurveRecorder {
    /// Values from `start` on, one each `interval` seconds.
    pub(super) fn new(start: f64, interval: f64) -> Self {
        Self { start, interval, count: 1, values: Vec::new(), open: None, filled: 0 }
    }

    /// The next value. Kept to a hundredth, more than anybody sees.
    pub(super) fn push(&mut self, value: Option<f64>) {
        let value = value.map(|value| ((value * 100.0).round() / 100.0) as f32);
        self.open = larger(self.open, value);
        self.filled += 1;
        if self.filled < self.count {
            return;
        }
        self.values.push(self.open.take());
        self.filled = 0;
        if self.values.len() == MOST {
            let (pairs, _) = self.values.as_chunks::<2>();
            self.values = pairs.iter().map(|[first, second]| larger(*first, *second)).collect();
            self.count *= 2;
        }
    }

    /// The curve so far.
    pub(super) fn finish(&self) -> Curve {
        let mut values = self.values.clone();
        if self.filled > 0 {
            values.push(self.open);
        }
        Curve { start: self.start, step: self.interval * f64::from(self.count), values }
    }
}

fn larger(first: Option<f32>, second: Option<f32>) -> Option<f32> {
    [first, second].into_iter().flatten().reduce(f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_ones_are_kept_as_they_are() {
        let mut recorder = CurveRecorder::new(3.0, 0.1);
        for value in [None, Some(-23.456), Some(-70.0)] {
            recorder.push(value);
        }
        let expected = Curve { start: 3.0, step: 0.1, values: vec![None, Some(-23.46), Some(-70.0)] };
        assert_eq!(recorder.finish(), expected);
    }

    #[test]
    fn twelve_hours_fit_and_no_peak_is_lost() {
        let mut recorder = CurveRecorder::new(0.0, 0.1);
        for index in 0..432_000 {
            recorder.push((index != 5).then_some(if index == 300_000 { -1.0 } else { -30.0 }));
            assert!(recorder.values.len() < MOST);
        }
        let curve = recorder.finish();
        assert!(curve.values.len() > 1_000);
        assert!((curve.step * curve.values.len() as f64 - 43_200.0).abs() < curve.step);
        let peak = curve.values.iter().position(|value| *value == Some(-1.0)).unwrap();
        assert_eq!(peak, (30_000.0 / curve.step) as usize);
        assert_eq!(curve.values[0], Some(-30.0));
    }
}
