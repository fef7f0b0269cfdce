//! When a title's work can be done, whatever the policy.

use reelfarm_model::Pool;

use crate::draw::DrawnTask;

/// A title's work in a pool, in milliseconds of a slot, and from when to when it must be done: not before what comes first
/// of the title can be done, and so that what follows can be done in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
    pub(crate) work_ms: i64,
}

/// The window of a title that arrives and is due then. `None` where it has no work in the pool.
pub(crate) fn window(tasks: &[DrawnTask], pool: Pool, arrives_ms: i64, due_ms: i64) -> Option<Window> {
    let starts = earliest_starts(tasks, arrives_ms);
    let mut ends = vec![due_ms; tasks.len()];
    for (place, task) in tasks.iter().enumerate().rev() {
        let latest_start = ends[place] - task.takes_ms;
        for need in &task.needs {
            ends[*need as usize] = latest_start.min(ends[*need as usize]);
        }
    }
    let places = || tasks.iter().enumerate().filter(|(_, task)| task.pool == pool);
    Some(Window {
        from_ms: places().map(|(place, _)| starts[place]).min()?,
        to_ms: places().map(|(place, _)| ends[place]).max()?,
        work_ms: places().map(|(_, task)| task.takes_ms).sum(),
    })
}

/// The shortest time in which a title can be made, with any number of slots.
pub(crate) fn shortest_ms(tasks: &[DrawnTask]) -> i64 {
    let starts = earliest_starts(tasks, 0);
    tasks.iter().zip(starts).map(|(task, start)| start + task.takes_ms).max().unwrap_or(0)
}

fn earliest_starts(tasks: &[DrawnTask], arrives_ms: i64) -> Vec<i64> {
    let mut starts: Vec<i64> = Vec::with_capacity(tasks.len());
    for task in tasks {
        let before = task.needs.iter().map(|need| starts[*need as usize] + tasks[*need as usize].takes_ms);
        starts.push(before.max().unwrap_or(arrives_ms));
    }
    starts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_lies_between_what_comes_before_and_what_comes_after() {
        let task = |pool, takes_ms, needs: &[u32]| DrawnTask {
            pool,
            estimate_ms: 0,
            takes_ms,
            needs: needs.into(),
            tail_ms: 0,
        };
        let tasks = [
            task(Pool::Light, 3, &[]),
            task(Pool::Cpu, 10, &[0]),
            task(Pool::Cpu, 4, &[0]),
            task(Pool::Package, 5, &[1, 2]),
        ];
        assert_eq!(shortest_ms(&tasks), 18);
        let of = |pool| window(&tasks, pool, 100, 200);
        assert_eq!(of(Pool::Light), Some(Window { from_ms: 100, to_ms: 185, work_ms: 3 }));
        assert_eq!(of(Pool::Cpu), Some(Window { from_ms: 103, to_ms: 195, work_ms: 14 }));
        assert_eq!(of(Pool::Package), Some(Window { from_ms: 113, to_ms: 200, work_ms: 5 }));
        assert_eq!(window(&tasks[..1], Pool::Cpu, 0, 1), None);
    }
}
