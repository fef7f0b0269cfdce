-- The pool whose workers a task goes to, so that each pool's next tasks are found at once however long the backlog is.
ALTER TABLE tasks ADD COLUMN pool TEXT NOT NULL DEFAULT 'light';
UPDATE tasks SET pool = 'cpu' WHERE kind IN ('qc', 'encode-video', 'encode-audio');
UPDATE tasks SET pool = 'package' WHERE kind = 'package';
DROP INDEX tasks_ready;
CREATE INDEX tasks_ready ON tasks (pool, place) WHERE state = 'ready';

-- For the question which of a title's sources were ever put online: facts that stay whatever becomes of the tasks.
CREATE TABLE publications (
    title  TEXT NOT NULL,
    origin TEXT NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (title, origin, source)
) STRICT, WITHOUT ROWID;

CREATE TABLE readings (
    path   TEXT NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (path, source)
) STRICT, WITHOUT ROWID;

INSERT OR IGNORE INTO publications (title, origin, source)
SELECT specification ->> '$.spec.title', specification ->> '$.spec.origin', specification ->> '$.spec.source'
FROM tasks WHERE kind = 'publish' AND attempt > 0;
INSERT OR IGNORE INTO readings (path, source)
SELECT specification -> '$.spec.source.path', result ->> '$.sha256'
FROM tasks WHERE kind = 'fingerprint' AND result ->> '$.sha256' IS NOT NULL;

DROP INDEX tasks_fingerprint;
DROP INDEX tasks_publish;
