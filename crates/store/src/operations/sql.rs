//! Pieces of SQL that several operations use. Sets of things travel as one bind: a JSON array, of texts or of arrays.

/// The columns of a [`TitleRow`](crate::rows::TitleRow).
macro_rules! title_columns {
    () => {
        "titles.generation, titles.state, titles.submission, titles.source_digest, titles.report, titles.failure, \
         titles.submitted_ms, titles.arrived_ms, titles.changed_ms, CAST(titles.held AS BIGINT) AS held, \
         CAST(titles.leftovers AS BIGINT) AS leftovers, titles.expedited_ms, titles.policy_digest, titles.asked_ms"
    };
}
pub(super) use title_columns;

/// The columns of a [`TaskRow`](crate::rows::TaskRow), from a table `tasks` under that name.
macro_rules! task_columns {
    () => {
        concat!(
            "tasks.specification, tasks.source, tasks.state, tasks.attempt, tasks.failures, tasks.losses, \
             tasks.uncounted, tasks.progress, tasks.worker, tasks.last_failure, tasks.not_before_ms, tasks.dispatched_ms, \
             tasks.started_ms, tasks.finished_ms, tasks.result, \
             (SELECT MIN(titles.submitted_ms) FROM title_tasks JOIN titles USING (title) \
              WHERE title_tasks.task = tasks.task AND title_tasks.wanted = 1) AS wanted_since_ms, \
             (SELECT ",
            super::dialect::json_array!("need"),
            " FROM task_needs WHERE task_needs.task = tasks.task) AS needs"
        )
    };
}
pub(super) use task_columns;

/// The state of a task of the table `tasks` that no attempt is under way for and that is not finished.
macro_rules! idle_state {
    () => {
        "CASE WHEN EXISTS (SELECT 1 FROM task_needs JOIN tasks AS needed ON needed.task = task_needs.need \
         WHERE task_needs.task = tasks.task AND needed.state <> 'done') THEN 'waiting' ELSE 'ready' END"
    };
}
pub(super) use idle_state;

/// What takes a message out of the outbox.
macro_rules! sent {
    () => {
        "unsent_title = NULL"
    };
}
pub(super) use sent;

/// What every end of an attempt does to its task.
macro_rules! no_lease {
    () => {
        "lease = NULL, lease_expires_ms = NULL, progress = NULL, unsent_title = NULL"
    };
}
pub(super) use no_lease;

/// The bind `$1`, an array of `[task, attempt, lease, …]`, as a table `given`; further columns are the macro's argument.
macro_rules! given {
    ($columns:literal) => {
        concat!(
            "(SELECT value ->> 0 AS task, CAST(value ->> 1 AS BIGINT) AS attempt, value ->> 2 AS lease",
            $columns,
            " FROM ",
            super::dialect::rows!("$1"),
            ") AS given"
        )
    };
}
pub(super) use given;

/// Whether a row of `tasks` is the attempt of a row of [`given`], and under way: only then does it have a lease.
macro_rules! held {
    () => {
        "tasks.task = given.task AND tasks.attempt = given.attempt AND tasks.lease = given.lease"
    };
}
pub(super) use held;
