//! Whether a failed attempt is followed by another, and when: a pure function of the failure's class and of what
//! went before.
//!
//! A permanent failure ends the task at once. A transient one is tried again a bounded number of times. So is an
//! environment failure, with longer waits, because a host or a disk needs a person: on many hosts, it does not count for the
//! first hour, nor where another host may do better. A worker that was lost says nothing about the task, unless it happens again and again: then
//! the task itself may be what kills workers. An attempt that no worker began never counts: its message was lost.

use std::time::Duration;

use reelfarm_model::FailureClass;
use reelfarm_store::RetryDecision;

/// How often and how soon failed tasks are tried again.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// Attempts that may fail before the task is given up.
    pub failures_limit: u32,
    /// Attempts whose worker may be lost before the task is given up.
    pub losses_limit: u32,
    /// Failures of one host that do not count while another may do better.
    pub hosts_limit: u32,
    /// Failures of the environment that do not count: the waits in between are the time that a person has to mend it.
    pub environment_limit: u32,
    /// The wait after the first transient failure; it doubles with each further one.
    pub transient_backoff: Duration,
    /// The wait after the first environment failure; it doubles with each further one.
    pub environment_backoff: Duration,
    /// The longest wait.
    pub longest_backoff: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            failures_limit: 3,
            losses_limit: 5,
            hosts_limit: 10,
            environment_limit: 0,
            transient_backoff: Duration::from_secs(1),
            environment_backoff: Duration::from_secs(3),
            longest_backoff: Duration::from_secs(300),
        }
    }
}

impl RetryPolicy {
    /// After a failure of `class`, the `failures`-th of the task counted from 1.
    pub fn after_failure(&self, class: FailureClass, failures: u32) -> RetryDecision {
        let first = match class {
            FailureClass::Permanent => return RetryDecision::Never,
            FailureClass::Transient => self.transient_backoff,
            FailureClass::Environment => self.environment_backoff,
        };
        if failures >= self.failures_limit {
            return RetryDecision::Never;
        }
        RetryDecision::After(self.doubled(first, failures))
    }

    /// After the failure of a host, where another takes tasks: the `failures`-th of the task counted from 1, or the
    /// `uncounted`-th of those that do not count.
    pub fn after_host_failure(&self, uncounted: u32, failures: u32) -> RetryDecision {
        if uncounted > self.hosts_limit {
            return self.after_failure(FailureClass::Environment, failures);
        }
        RetryDecision::Uncounted(Duration::ZERO)
    }

    /// After a failure of the environment: the `failures`-th of the task counted from 1, or the `uncounted`-th of those that
    /// do not count.
    pub fn after_environment_failure(&self, uncounted: u32, failures: u32) -> RetryDecision {
        if uncounted > self.environment_limit {
            return self.after_failure(FailureClass::Environment, failures);
        }
        RetryDecision::Uncounted(self.doubled(self.environment_backoff, uncounted))
    }

    /// After a title could not be planned because of a failure of `class`, for the `tries`-th time counted from 1: the wait
    /// until it is looked at again, with as much time for a person to mend storage as tasks have. `None` where it is to end.
    pub fn after_unplanned(&self, class: FailureClass, tries: u32) -> Option<Duration> {
        let passes = class != FailureClass::Permanent && tries <= self.environment_limit;
        passes.then(|| self.doubled(self.environment_backoff, tries))
    }

    /// After the lease of an attempt ran out that no worker had begun.
    pub const fn after_silence(&self) -> RetryDecision {
        RetryDecision::Uncounted(self.transient_backoff)
    }

    /// After the loss of a worker, the `losses`-th of the task counted from 1.
    pub fn after_loss(&self, losses: u32) -> RetryDecision {
        if losses >= self.losses_limit {
            return RetryDecision::Never;
        }
        RetryDecision::After(self.doubled(self.transient_backoff, losses))
    }

    fn doubled(&self, first: Duration, times: u32) -> Duration {
        let factor = 1_u32.checked_shl(times.saturating_sub(1)).unwrap_or(u32::MAX);
        first.saturating_mul(factor).min(self.longest_backoff)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn classes_decide() {
        let policy = RetryPolicy::default();
        let seconds = |seconds| RetryDecision::After(Duration::from_secs(seconds));
        for (class, failures, expected) in [
            (FailureClass::Permanent, 1, RetryDecision::Never),
            (FailureClass::Transient, 1, seconds(1)),
            (FailureClass::Transient, 2, seconds(2)),
            (FailureClass::Transient, 3, RetryDecision::Never),
            (FailureClass::Environment, 1, seconds(3)),
            (FailureClass::Environment, 2, seconds(6)),
            (FailureClass::Environment, 3, RetryDecision::Never),
        ] {
            assert_eq!(policy.after_failure(class, failures), expected, "{class:?} {failures}");
        }
        assert_eq!(policy.after_host_failure(10, 1), RetryDecision::Uncounted(Duration::ZERO));
        assert_eq!(policy.after_host_failure(11, 1), seconds(3));
        assert_eq!(policy.after_host_failure(13, 3), RetryDecision::Never);
        let patient = RetryPolicy { environment_limit: 20, ..policy };
        let waits = (1..=20).map(|uncounted| match patient.after_environment_failure(uncounted, 1) {
            RetryDecision::Uncounted(wait) => wait,
            decision => panic!("{decision:?}"),
        });
        assert!(waits.sum::<Duration>() > Duration::from_secs(3600), "a person has an hour");
        assert_eq!(patient.after_environment_failure(21, 1), seconds(3));
        assert_eq!(policy.after_environment_failure(1, 3), RetryDecision::Never);
        let wait = |class, tries| patient.after_unplanned(class, tries);
        assert_eq!(wait(FailureClass::Environment, 1), Some(Duration::from_secs(3)));
        assert_eq!(wait(FailureClass::Transient, 20), Some(Duration::from_secs(300)));
        assert_eq!(wait(FailureClass::Environment, 21), None);
        assert_eq!(wait(FailureClass::Permanent, 1), None);
        assert_eq!(
            policy.after_unplanned(FailureClass::Environment, 1),
            None,
            "with one host, a person waits for it"
        );
        assert_eq!(policy.after_silence(), RetryDecision::Uncounted(Duration::from_secs(1)));
        assert_eq!(policy.after_loss(4), seconds(8));
        assert_eq!(policy.after_loss(5), RetryDecision::Never);
    }

    proptest! {
        #[test]
        fn every_task_is_given_up_at_last_and_no_wait_is_endless(failures in 0u32.., losses in 0u32..) {
            let policy = RetryPolicy { failures_limit: u32::MAX, losses_limit: u32::MAX, ..RetryPolicy::default() };
            for decision in [policy.after_failure(FailureClass::Transient, failures), policy.after_loss(losses)] {
                match decision {
                    RetryDecision::After(wait) | RetryDecision::Uncounted(wait) => prop_assert!(wait <= policy.longest_backoff),
                    RetryDecision::Never => prop_assert!(failures == u32::MAX || losses == u32::MAX),
                }
            }
        }
    }
}
