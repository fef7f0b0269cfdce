-- Attempts under way that an earlier generation of a title wanted and the present one may want too: they go on until it
-- is planned. A row goes with the end of its attempt.
CREATE TABLE kept_attempts (
    title TEXT NOT NULL REFERENCES titles (title),
    task  TEXT NOT NULL REFERENCES tasks (task),
    PRIMARY KEY (title, task)
) STRICT, WITHOUT ROWID;

CREATE INDEX kept_attempts_by_task ON kept_attempts (task);

-- For the question which of a title's sources were ever put online, asked once a submission.
CREATE INDEX tasks_publish ON tasks (specification ->> '$.spec.title') WHERE kind = 'publish';
CREATE INDEX tasks_fingerprint ON tasks (result ->> '$.sha256') WHERE kind = 'fingerprint';
