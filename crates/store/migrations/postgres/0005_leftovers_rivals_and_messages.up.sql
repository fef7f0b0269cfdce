-- Whether files of a title that are not online may lie at the origin, of this submission or of an earlier one.
ALTER TABLE titles ADD COLUMN leftovers SMALLINT NOT NULL DEFAULT 0 CHECK (leftovers IN (0, 1));

-- Attempts that failed since the task was last planned, and say nothing about it.
ALTER TABLE tasks ADD COLUMN uncounted BIGINT NOT NULL DEFAULT 0;

-- Who has asked lately to lead and could do so as well as any, and until when that counts.
ALTER TABLE leadership ADD COLUMN rival TEXT;
ALTER TABLE leadership ADD COLUMN rival_ms BIGINT NOT NULL DEFAULT 0;

-- The outbox becomes a part of the tasks' rows: for which title the message of the attempt under way is, until it was sent; and
-- how long the lease of the attempt runs from its start.
ALTER TABLE tasks ADD COLUMN unsent_title TEXT;
ALTER TABLE tasks ADD COLUMN lease_ms BIGINT;
UPDATE tasks SET unsent_title = outbox.title, lease_ms = outbox.lease_ms FROM outbox
    WHERE outbox.task = tasks.task AND outbox.attempt = tasks.attempt AND tasks.state = 'dispatched';
DROP TABLE outbox;
