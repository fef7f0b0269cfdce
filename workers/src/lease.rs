//! The worker's own view of a lease, by a clock that never jumps.
//!
//! A worker must have stopped before the scheduler can have given its task to another. The lease runs from the
//! moment at which the worker *sent* the last heartbeat that was answered - earlier than the moment at which the
//! scheduler extended it - so the worker's view always ends first.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// One attempt's lease.
#[derive(Debug)]
pub(crate) struct Lease {
    length: Duration,
    valid_until: Instant,
    unanswered: VecDeque<(u64, Instant)>,
    next_beat: u64,
}

impl Lease {
    /// A lease of this length that began when the task was received at `now`.
    ///
    /// The scheduler's begins anew when it records the start, which is reported after that.
    pub(crate) fn new(length: Duration, now: Instant) -> Self {
        Self { length, valid_until: now + length, unanswered: VecDeque::new(), next_beat: 1 }
    }

    /// Notes that a heartbeat is sent at `now`; returns its number.
    pub(crate) fn beat(&mut self, now: Instant) -> u64 {
        let beat = self.next_beat;
        self.next_beat += 1;
        self.unanswered.push_back((beat, now));
        beat
    }

    /// Notes that heartbeat `beat` was answered.
    pub(crate) fn answered(&mut self, beat: u64) {
        while let Some((number, sent)) = self.unanswered.front().copied() {
            if number > beat {
                break;
            }
            self.unanswered.pop_front();
            if number == beat {
                self.valid_until = self.valid_until.max(sent + self.length);
            }
        }
    }

    /// When the lease ends unless another heartbeat is answered.
    pub(crate) const fn valid_until(&self) -> Instant {
        self.valid_until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: Duration = Duration::from_secs(30);

    #[test]
    fn a_lease_runs_from_the_sending_of_the_answered_heartbeat() {
        let start = Instant::now();
        let mut lease = Lease::new(LENGTH, start);
        let beat = lease.beat(start + Duration::from_secs(10));
        assert_eq!(lease.valid_until(), start + LENGTH);
        lease.answered(beat);
        assert_eq!(lease.valid_until(), start + Duration::from_secs(40));
    }

    #[test]
    fn a_lost_answer_does_not_extend_and_a_later_one_does() {
        let start = Instant::now();
        let mut lease = Lease::new(LENGTH, start);
        let first = lease.beat(start + Duration::from_secs(5));
        let second = lease.beat(start + Duration::from_secs(10));
        lease.answered(second);
        assert_eq!(lease.valid_until(), start + Duration::from_secs(40));
        lease.answered(first);
        assert_eq!(lease.valid_until(), start + Duration::from_secs(40), "an old answer never shortens");
    }

    #[test]
    fn an_answer_to_a_heartbeat_never_sent_changes_nothing() {
        let start = Instant::now();
        let mut lease = Lease::new(LENGTH, start);
        lease.answered(7);
        assert_eq!(lease.valid_until(), start + LENGTH);
    }
}
