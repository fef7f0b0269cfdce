//! How far work is, told seldom enough that nobody drowns in it, and only while it moves.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use reelfarm_model::Progress;

use crate::MediaError;
use crate::ffmpeg::transfer;

/// The most reports a second, but for the one at the end.
pub const PROGRESS_PER_SECOND: u32 = 4;

/// The least time between reports.
const INTERVAL: Duration = Duration::from_millis(1000 / PROGRESS_PER_SECOND as u64);

/// The time over which rates are measured.
const WINDOW: Duration = Duration::from_secs(5);

/// Work done so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Done {
    /// Rises whenever the work moves, also where nothing else here does; never falls.
    pub steps: u64,
    /// From 0 to 1.
    pub fraction: f64,
    /// Frames, where frames are counted.
    pub frames: u64,
    /// Seconds of the title.
    pub seconds: f64,
}

/// A count that one thread raises and others read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Count(Arc<AtomicU64>);

impl Count {
    /// Raises it.
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// What it is now.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Does `work` in a thread of its own and meanwhile reports what `done` says, so that progress is told also while a
/// function of FFmpeg runs for long. Work that does not move is not reported: that is how a worker knows a hung one.
/// Work that succeeds ends with a report of the fraction 1.
///
/// # Errors
/// Those of the work.
pub(crate) fn watch<T: Send>(
    on_progress: &mut dyn FnMut(Progress),
    done: impl Fn() -> Done,
    work: impl FnOnce() -> Result<T, MediaError> + Send,
) -> Result<T, MediaError> {
    let done = || {
        let done = done();
        Done { steps: done.steps + transfer::steps(), ..done }
    };
    watch_steps(on_progress, done, work)
}

/// [`watch`], with no regard to FFmpeg's transfers.
fn watch_steps<T: Send>(
    on_progress: &mut dyn FnMut(Progress),
    done: impl Fn() -> Done,
    work: impl FnOnce() -> Result<T, MediaError> + Send,
) -> Result<T, MediaError> {
    let mut meter = Meter::new(on_progress, done().steps);
    // Nothing is ever sent: the channel closes when the work ends, however it ends.
    let (running, ended) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let worker = scope.spawn(move || {
            let _running = running;
            work()
        });
        while ended.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
            meter.update(Instant::now(), done());
        }
        let result = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        meter.report(Instant::now(), Done { fraction: 1.0, ..done() });
        Ok(result)
    })
}

/// Turns counts of work into reports.
struct Meter<'a> {
    report: &'a mut dyn FnMut(Progress),
    /// What was reported, and when; first of all the start.
    history: VecDeque<(Instant, Done)>,
}

impl<'a> Meter<'a> {
    /// A meter that starts now, after so many steps.
    fn new(report: &'a mut dyn FnMut(Progress), steps: u64) -> Self {
        Self { report, history: VecDeque::from([(Instant::now(), Done { steps, ..Done::default() })]) }
    }

    /// Reports if the work has moved since the last report, and that is old enough.
    fn update(&mut self, now: Instant, done: Done) {
        let due = self.history.back().is_none_or(|(last, before)| {
            done.steps > before.steps && now.saturating_duration_since(*last) >= INTERVAL
        });
        if due {
            self.report(now, done);
        }
    }

    fn report(&mut self, now: Instant, done: Done) {
        self.history.push_back((now, done));
        while self.history.len() > 2
            && self.history.front().is_some_and(|(oldest, _)| now.saturating_duration_since(*oldest) > WINDOW)
        {
            self.history.pop_front();
        }
        let Some((since, before)) = self.history.front() else { return };
        // Work can end as soon as it began.
        let elapsed = now.saturating_duration_since(*since).as_secs_f64().max(f64::EPSILON);
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
        let mut meter = Meter::new(&mut collect, 0);
        let start = meter.history[0].0;
        // 25 frames a second for ten seconds, then 100 a second for ten seconds, looked at every 10 ms.
        for step in 1..=2000u64 {
            let frames = if step <= 1000 { step / 4 } else { 250 + (step - 1000) };
            let done =
                Done { steps: step, fraction: step as f64 / 2000.0, frames, seconds: frames as f64 / 25.0 };
            meter.update(start + Duration::from_millis(10 * step), done);
        }
        assert_eq!(reports.len(), 80);
        assert!((reports[39].frames_per_second - 25.0).abs() < 0.5, "{:?}", reports[39]);
        assert!((reports[79].frames_per_second - 100.0).abs() < 0.5, "{:?}", reports[79]);
        assert!((reports[79].speed - 4.0).abs() < 0.05);
        assert!((reports[79].fraction - 1.0).abs() < 1e-9);
    }

    #[test]
    fn work_that_stands_still_is_not_reported_and_work_that_moves_is_though_its_fraction_does_not() {
        let mut reports = Vec::new();
        let mut collect = |progress: Progress| reports.push(progress.fraction);
        let mut meter = Meter::new(&mut collect, 100);
        let start = meter.history[0].0;
        for (second, steps, fraction) in
            [(1, 100, 0.0), (2, 101, 0.5), (3, 101, 0.5), (600, 101, 0.5), (601, 102, 0.5), (602, 102, 0.5)]
        {
            meter.update(start + Duration::from_secs(second), Done { steps, fraction, ..Done::default() });
        }
        assert_eq!(reports, [0.5, 0.5]);
    }

    #[test]
    fn work_is_reported_while_it_moves_and_falls_silent_when_it_hangs() {
        let steps = Count::default();
        let (reported, reports) = mpsc::channel();
        let mut report = |progress: Progress| reported.send(progress.fraction).unwrap();
        let done = || Done { steps: steps.get(), fraction: 0.5, ..Done::default() };
        let result = watch_steps(&mut report, done, || {
            steps.add(1);
            assert_eq!(reports.recv_timeout(Duration::from_secs(60)), Ok(0.5));
            // From here on it hangs; nothing is told for as long as four reports would take.
            assert_eq!(reports.recv_timeout(4 * INTERVAL), Err(RecvTimeoutError::Timeout));
            Ok((reports, "result"))
        });
        let (reports, result) = result.unwrap();
        assert_eq!((result, reports.recv()), ("result", Ok(1.0)), "the end is reported");
    }

    #[test]
    fn work_that_fails_does_not_end_with_a_report() {
        let mut reports = 0;
        let result = watch_steps(&mut |_| reports += 1, Done::default, || {
            Err::<(), _>(MediaError::Unsupported("this".into()))
        });
        assert!(result.is_err());
        assert_eq!(reports, 0);
    }
}
