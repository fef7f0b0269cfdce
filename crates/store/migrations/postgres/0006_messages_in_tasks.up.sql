-- The outbox becomes a part of the tasks' rows: for which title the message of the attempt under way is, until it was sent; and
-- how long the lease of the attempt runs from its start.
ALTER TABLE tasks ADD COLUMN unsent_title TEXT;
ALTER TABLE tasks ADD COLUMN lease_ms BIGINT;
UPDATE tasks SET unsent_title = outbox.title, lease_ms = outbox.lease_ms FROM outbox
    WHERE outbox.task = tasks.task AND outbox.attempt = tasks.attempt AND tasks.state = 'dispatched';
-- Of what was sent already, as it was dispatched.
UPDATE tasks SET lease_ms = lease_expires_ms - dispatched_ms
    WHERE state = 'dispatched' AND lease_ms IS NULL AND dispatched_ms IS NOT NULL;
DROP TABLE outbox;
