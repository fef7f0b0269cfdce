//! How long to wait before the next try: doubling, with jitter, so that a farm does not come back all at once.

use std::time::Duration;

/// The pauses between tries that fail one after another.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    longest: Duration,
    failures: u32,
}

impl Backoff {
    pub(super) const fn new(longest: Duration) -> Self {
        Self { longest, failures: 0 }
    }

    /// The next pause.
    pub(super) fn next(&mut self) -> Duration {
        self.pause(rand::random_range(0.5..=1.0))
    }

    fn pause(&mut self, jitter: f64) -> Duration {
        let pause =
            (self.longest / 100).saturating_mul(2_u32.saturating_pow(self.failures)).min(self.longest);
        self.failures = self.failures.saturating_add(1);
        pause.mul_f64(jitter)
    }

    pub(super) const fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let mut backoff = Backoff::new(Duration::from_secs(10));
        let pauses: Vec<_> = (0..9).map(|_| backoff.pause(1.0).as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        backoff.reset();
        assert_eq!(backoff.pause(0.5).as_millis(), 50);
    }

    #[test]
    fn a_very_long_outage_overflows_nothing() {
        let mut backoff = Backoff { longest: Duration::from_secs(10), failures: u32::MAX };
        let pause = backoff.next();
        assert!((Duration::from_secs(5)..=Duration::from_secs(10)).contains(&pause));
        backoff.next();
    }
}
