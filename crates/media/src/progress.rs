//! How far work is, told seldom enough that nobody drowns in it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use reelfarm_model::Progress;

/// The most reports a second.
pub const PROGRESS_PER_SECOND: u32 = 4;

/// The time over which rates are measured.
const WINDOW: Duration = Duration::from_secs(5);

/// Work done so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Done {
    /// From 0 to 1.
    pub fraction: f64,
    /// Frames, where frames are counted.
    pub frames: u64,
    /// Seconds of the title.
    pub seconds: f64,
}

/// Turns counts of work into reports.
pub(crate) struct Meter<'a> {
    report: &'a mut dyn FnMut(Progress),
    history: VecDeque<(Instant, Done)>,
}

impl<'a> Meter<'a> {
    /// A meter that starts now.
    pub(crate) fn new(report: &'a mut dyn FnMut(Progress)) -> Self {
        Self { report, history: VecDeque::from([(Instant::now(), Done::default())]) }
    }

    /// Takes note of work done, and reports if the last report is old enough.
    pub(crate) fn update(&mut self, done: Done) {
        self.update_at(Instant::now(), done);
    }

    fn update_at(&mut self, now: Instant, done: Done) {
        let due = self.history.back().is_none_or(|(last, _)| {
            now.saturating_duration_since(*last) >= Duration::from_secs(1) / PROGRESS_PER_SECOND
        });
        if !due {
            return;
        }
        self.history.push_back((now, done));
        while self.history.len() > 2
            && self.history.front().is_some_and(|(oldest, _)| now.saturating_duration_since(*oldest) > WINDOW)
        {
            self.history.pop_front();
        }
        let Some((since, before)) = self.history.front() else { return };
        let elapsed = now.saturating_duration_since(*since).as_secs_f64();
        (self.report)(Progress {
            fraction: done.fraction.clamp(0.0, 1.0),
            frames_per_second: done.frames.saturating_sub(before.frames) as f64 / elapsed,
            speed: (done.seconds - before.seconds).max(0.0) / elapsed,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_come_at_most_four_times_a_second_with_the_rates_of_the_last_seconds() {
        let mut reports = Vec::new();
        let mut collect = |progress| reports.push(progress);
        let mut meter = Meter::new(&mut collect);
        let start = meter.history[0].0;
        // 25 frames a second for ten seconds, then 100 a second for ten seconds, looked at every 10 ms.
        for step in 1..=2000u64 {
            let frames = if step <= 1000 { step / 4 } else { 250 + (step - 1000) };
            let done = Done { fraction: step as f64 / 2000.0, frames, seconds: frames as f64 / 25.0 };
            meter.update_at(start + Duration::from_millis(10 * step), done);
        }
        assert_eq!(reports.len(), 80);
        assert!((reports[39].frames_per_second - 25.0).abs() < 0.5, "{:?}", reports[39]);
        assert!((reports[79].frames_per_second - 100.0).abs() < 0.5, "{:?}", reports[79]);
        assert!((reports[79].speed - 4.0).abs() < 0.05);
        assert!((reports[79].fraction - 1.0).abs() < 1e-9);
    }
}
