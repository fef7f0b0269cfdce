//! Which ready task goes first: a pure function.
//!
//! Titles finish one after another rather than all at once: the title that was submitted first goes first, and
//! within a title the task that is nearest to the end. A light last step never waits behind another title's.

use reelfarm_model::{Pool, TaskKey, TaskKind};

/// What the order of a ready task follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadyTask {
    /// The task.
    pub key: TaskKey,
    /// Its kind.
    pub kind: TaskKind,
    /// When the oldest title that wants it was submitted, in milliseconds since 1970 UTC.
    pub submitted_ms: i64,
    /// The pool it goes to.
    pub pool: Pool,
}

/// Sorts ready tasks, first to be dispatched first. The order is total, so equal states give equal decisions.
pub fn order(ready: &mut [ReadyTask]) {
    ready.sort_by_key(|task| (task.submitted_ms, steps_to_the_end(task.kind), task.key));
}

const fn steps_to_the_end(kind: TaskKind) -> u8 {
    match kind {
        TaskKind::Withdraw => 0,
        TaskKind::Publish => 1,
        TaskKind::Upload => 2,
        TaskKind::Verify => 3,
        TaskKind::Manifest => 4,
        TaskKind::Package => 5,
        TaskKind::Keys => 6,
        TaskKind::EncodeVideo => 7,
        TaskKind::EncodeAudio => 8,
        TaskKind::Subtitles => 9,
        TaskKind::Qc => 10,
        TaskKind::Fingerprint => 11,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reelfarm_model::Digest;

    fn task(name: &str, kind: TaskKind, submitted_ms: i64) -> ReadyTask {
        ReadyTask { key: TaskKey(Digest::of(name.as_bytes())), kind, pool: Pool::Light, submitted_ms }
    }

    #[test]
    fn the_first_title_finishes_before_the_second_starts() {
        let expected = [
            task("a", TaskKind::Publish, 1),
            task("b", TaskKind::Package, 1),
            task("c", TaskKind::EncodeVideo, 1),
            task("d", TaskKind::EncodeAudio, 1),
            task("e", TaskKind::Upload, 2),
            task("f", TaskKind::Qc, 2),
        ];
        let mut ready = expected;
        ready.reverse();
        order(&mut ready);
        assert_eq!(ready, expected);
    }
}
