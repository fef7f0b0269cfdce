//! Bits per second over time.

use reelfarm_model::measurement::Curve;

/// How long the first buckets are, in seconds.
const FIRST_STEP: f64 = 1.0;
/// Buckets that are kept: enough for every column of a wide page. At more, each two become one.
const MOST: usize = 2_000;

/// Adds up the bytes of packets in buckets of equal length.
#[derive(Default)]
pub(super) struct BitrateRecorder {
    start: Option<f64>,
    step: f64,
    buckets: Vec<u64>,
    end: f64,
}

impl BitrateRecorder {
    /// A packet of so many bytes that is shown from `time` on for `duration`, in seconds; the first has a time. One that is
    /// shown before the first counts as the first does.
    pub(super) fn push(&mut self, time: Option<f64>, duration: f64, bytes: u64) {
        let start = match (self.start, time) {
            (Some(start), _) => start,
            (None, Some(time)) => {
                (self.start, self.step, self.end) = (Some(time), FIRST_STEP, time);
                time
            }
            (None, None) => return,
        };
        let time = time.unwrap_or(self.end);
        self.end = self.end.max(time + duration.max(0.0));
        let bucket = |step: f64| ((time - start) / step).max(0.0) as usize;
        while bucket(self.step) >= MOST {
            self.step *= 2.0;
            self.buckets = self.buckets.chunks(2).map(|pair| pair.iter().sum()).collect();
        }
        let bucket = bucket(self.step);
        if self.buckets.len() <= bucket {
            self.buckets.resize(bucket + 1, 0);
        }
        if let Some(sum) = self.buckets.get_mut(bucket) {
            *sum += bytes;
        }
    }

    /// Bits per second in each bucket. The last bucket counts as long as the film goes on in it, but not less than half as
    /// long as the others, or a single picture at the end would tower above all.
    pub(super) fn finish(self) -> Curve {
        let Self { start: Some(start), step, buckets, end } = self else { return Curve::default() };
        let last = buckets.len().saturating_sub(1);
        let left = (end - start - step * last as f64).clamp(step / 2.0, step);
        let rate = |(bucket, bytes): (usize, u64)| {
            let seconds = if bucket == last { left } else { step };
            Some((bytes as f64 * 8.0 / seconds).round() as f32)
        };
        Curve { start, step, values: buckets.into_iter().enumerate().map(rate).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(seconds: u32) -> Curve {
        let mut recorder = BitrateRecorder::default();
        for frame in 0..seconds * 25 {
            recorder.push(Some(5.0 + f64::from(frame) * 0.04), 0.04, 1_000);
        }
        recorder.finish()
    }

    #[test]
    fn a_constant_rate_is_constant_however_long_the_film() {
        for (seconds, step, buckets) in [(1, 1.0, 1), (10, 1.0, 10), (2_000, 1.0, 2_000), (2_001, 2.0, 1_001)]
        {
            let curve = curve(seconds);
            assert_eq!((curve.start, curve.step, curve.values.len()), (5.0, step, buckets), "{seconds}");
            for value in curve.values {
                // A frame lies on either side of each border, where its time is rounded.
                assert!((value.unwrap() - 200_000.0).abs() <= 8_001.0, "{seconds}: {value:?}");
            }
        }
    }

    #[test]
    fn leaps_in_time_and_packets_without_one_do_no_harm() {
        let mut recorder = BitrateRecorder::default();
        recorder.push(None, 0.04, 1);
        for time in [Some(0.0), None, Some(-50.0), Some(1e15), Some(3.0)] {
            recorder.push(time, 0.04, 100);
        }
        let curve = recorder.finish();
        assert!(curve.values.len() <= MOST, "{}", curve.values.len());
        let bits: f64 = curve.values.iter().map(|value| f64::from(value.unwrap()) * curve.step).sum();
        assert!(bits >= 0.0 && bits.is_finite());
        assert_eq!(BitrateRecorder::default().finish(), Curve::default());
    }
}
