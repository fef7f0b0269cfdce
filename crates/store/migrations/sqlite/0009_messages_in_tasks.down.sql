CREATE TABLE outbox (
    place    INTEGER PRIMARY KEY,
    task     TEXT    NOT NULL UNIQUE REFERENCES tasks (task),
    attempt  INTEGER NOT NULL,
    title    TEXT    NOT NULL,
    lease_ms INTEGER NOT NULL
) STRICT;
INSERT INTO outbox (task, attempt, title, lease_ms)
    SELECT task, attempt, unsent_title, COALESCE(lease_ms, 0) FROM tasks WHERE lease IS NOT NULL AND unsent_title IS NOT NULL ORDER BY place;
-- Attempts under way were in their tasks' rows alone.
INSERT INTO attempts (task, attempt, worker, dispatched_ms, started_ms)
    SELECT task, attempt, worker, dispatched_ms, started_ms FROM tasks WHERE lease IS NOT NULL
    ON CONFLICT (task, attempt) DO UPDATE SET worker = excluded.worker, started_ms = excluded.started_ms;
ALTER TABLE tasks DROP COLUMN lease_ms;
ALTER TABLE tasks DROP COLUMN unsent_title;
