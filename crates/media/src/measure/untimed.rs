//! Times of frames that their container leaves without one.
//!
//! In program and transport streams only some access units carry a time stamp, at least one in each 0.7 s (ISO/IEC 13818-1,
//! 2.7.4); the others follow at the distance that the codec's own headers say. AVI counts frames in the order in which they are
//! decoded. FFmpeg fills in the times in both, but not of the frames that a decoder gives last.

use reelfarm_model::measurement::Ratio;

/// The longest time without a stamp, in seconds.
const LONGEST: f64 = 0.7;

/// Gives each frame its time.
#[derive(Debug)]
pub(super) struct Untimed {
    /// Ticks in [`LONGEST`]; none where each frame has its time, or it is missing.
    longest: i64,
    /// When the next frame comes that has no time.
    next: Option<i64>,
    last_stamp: i64,
}

impl Untimed {
    /// For a track of a container by FFmpeg's name, whose times are in units of `time_base`.
    pub(super) fn new(container: &str, time_base: Ratio) -> Self {
        let tick = time_base.value().filter(|tick| *tick > 0.0);
        let is_sparse = matches!(container, "mpeg" | "mpegts" | "avi");
        let longest = tick.filter(|_| is_sparse).map_or(0, |tick| (LONGEST / tick) as i64);
        Self { longest, next: None, last_stamp: 0 }
    }

    /// The time of the next frame that is shown, from its own and from how long it lasts, both in ticks. A duration of zero
    /// says nothing.
    pub(super) fn time(&mut self, own: Option<i64>, duration: i64) -> Option<i64> {
        if let Some(own) = own {
            self.last_stamp = own;
        }
        let followed = self.next.filter(|next| next.saturating_sub(self.last_stamp) <= self.longest);
        let time = own.or(followed);
        self.next = time.filter(|_| duration > 0).map(|time| time.saturating_add(duration));
        time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(container: &str, frames: &[(Option<i64>, i64)]) -> Vec<Option<i64>> {
        let mut untimed = Untimed::new(container, Ratio::new(1, 90_000));
        frames.iter().map(|(own, duration)| untimed.time(*own, *duration)).collect()
    }

    #[test]
    fn frames_without_a_time_follow_those_before() {
        let frames = [
            (Some(9_000), 3_600),
            (None, 5_400),
            (None, 3_600),
            (Some(21_600), 3_600),
            (None, 0),
            (None, 3_600),
        ];
        let expected = [Some(9_000), Some(12_600), Some(18_000), Some(21_600), Some(25_200), None];
        assert_eq!(times("mpeg", &frames), expected);
        assert_eq!(times("mpegts", &frames), expected);
        assert_eq!(times("avi", &frames), expected);
    }

    #[test]
    fn other_containers_time_each_frame() {
        assert_eq!(
            times("matroska,webm", &[(Some(40), 40), (None, 40), (Some(120), 40)]),
            [Some(40), None, Some(120)]
        );
        assert_eq!(times("mpeg", &[(None, 3_600), (Some(0), 3_600)]), [None, Some(0)]);
    }

    #[test]
    fn a_long_time_without_any_is_a_fault() {
        let frames: Vec<_> = (0..25).map(|frame| ((frame == 0).then_some(0), 3_600)).collect();
        let found = times("mpeg", &frames);
        // 0.7 s are 17 frames of 25 a second.
        assert_eq!(found.iter().filter(|time| time.is_some()).count(), 18);
        assert_eq!(found[17], Some(61_200));
    }
}
