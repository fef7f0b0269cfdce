-- Keys and digests are lower-case hexadecimal, times are milliseconds since 1970 UTC by the database's clock, and
-- columns that hold a structure hold it as JSON.

CREATE TABLE titles (
    title         TEXT    PRIMARY KEY,
    generation    INTEGER NOT NULL CHECK (generation >= 1),
    state         TEXT    NOT NULL,
    submission    TEXT    NOT NULL,
    source_digest TEXT,
    report        TEXT,
    failure       TEXT,
    submitted_ms  INTEGER NOT NULL,
    changed_ms    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tasks (
    task             TEXT    PRIMARY KEY,
    kind             TEXT    NOT NULL,
    specification    TEXT    NOT NULL,
    source           TEXT,
    state            TEXT    NOT NULL,
    -- In the order of planning: what was planned first is dispatched first.
    place            INTEGER NOT NULL,
    -- Never goes back, so that no two attempts share a number.
    attempt          INTEGER NOT NULL DEFAULT 0,
    failures         INTEGER NOT NULL DEFAULT 0,
    losses           INTEGER NOT NULL DEFAULT 0,
    lease            TEXT,
    lease_expires_ms INTEGER,
    progress         TEXT,
    worker           TEXT,
    last_failure     TEXT,
    not_before_ms    INTEGER,
    dispatched_ms    INTEGER,
    started_ms       INTEGER,
    finished_ms      INTEGER,
    result           TEXT,
    CHECK ((state IN ('dispatched', 'running')) = (lease IS NOT NULL)),
    CHECK ((lease IS NULL) = (lease_expires_ms IS NULL))
) STRICT;

CREATE INDEX tasks_by_place ON tasks (place);
CREATE INDEX tasks_ready ON tasks (place) WHERE state = 'ready';
CREATE INDEX tasks_leased ON tasks (lease_expires_ms) WHERE lease IS NOT NULL;

CREATE TABLE task_needs (
    task TEXT NOT NULL REFERENCES tasks (task),
    need TEXT NOT NULL REFERENCES tasks (task),
    PRIMARY KEY (task, need),
    CHECK (task <> need)
) STRICT, WITHOUT ROWID;

CREATE INDEX task_needs_by_need ON task_needs (need);

-- The tasks of each title's current generation. A title that is withdrawing or final wants none of them any more.
CREATE TABLE title_tasks (
    title  TEXT    NOT NULL REFERENCES titles (title),
    task   TEXT    NOT NULL REFERENCES tasks (task),
    wanted INTEGER NOT NULL CHECK (wanted IN (0, 1)),
    PRIMARY KEY (title, task)
) STRICT, WITHOUT ROWID;

CREATE INDEX title_tasks_wanted ON title_tasks (task) WHERE wanted = 1;

CREATE TABLE attempts (
    task          TEXT    NOT NULL REFERENCES tasks (task),
    attempt       INTEGER NOT NULL CHECK (attempt >= 1),
    worker        TEXT,
    outcome       TEXT,
    failure       TEXT,
    dispatched_ms INTEGER NOT NULL,
    started_ms    INTEGER,
    finished_ms   INTEGER,
    PRIMARY KEY (task, attempt),
    CHECK ((outcome IS NULL) = (finished_ms IS NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE artifacts (
    artifact TEXT    PRIMARY KEY,
    digest   TEXT    NOT NULL,
    size     INTEGER NOT NULL,
    task     TEXT    NOT NULL REFERENCES tasks (task),
    made_ms  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
