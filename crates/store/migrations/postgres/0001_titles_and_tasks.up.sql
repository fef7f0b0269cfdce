-- Keys and digests are lower-case hexadecimal, times are milliseconds since 1970 UTC by the database's clock, and
-- columns that hold a structure hold it as JSON: as text, because PostgreSQL's own types refuse U+0000 and reorder.
-- Names of titles sort by their bytes, so that a list is in the same order wherever the database is.

CREATE TABLE titles (
    title         TEXT COLLATE "C" PRIMARY KEY,
    generation    BIGINT NOT NULL CHECK (generation >= 1),
    state         TEXT   NOT NULL,
    submission    TEXT   NOT NULL,
    source_digest TEXT,
    report        TEXT,
    failure       TEXT,
    submitted_ms  BIGINT NOT NULL,
    changed_ms    BIGINT NOT NULL
);

CREATE TABLE tasks (
    task             TEXT   PRIMARY KEY,
    kind             TEXT   NOT NULL,
    -- Whose workers it goes to.
    pool             TEXT   NOT NULL,
    specification    TEXT   NOT NULL,
    source           TEXT,
    state            TEXT   NOT NULL,
    -- In the order of planning: what was planned first is dispatched first.
    place            BIGINT NOT NULL,
    -- Never goes back, so that no two attempts share a number.
    attempt          BIGINT NOT NULL DEFAULT 0,
    failures         BIGINT NOT NULL DEFAULT 0,
    losses           BIGINT NOT NULL DEFAULT 0,
    lease            TEXT,
    lease_expires_ms BIGINT,
    progress         TEXT,
    worker           TEXT,
    last_failure     TEXT,
    not_before_ms    BIGINT,
    dispatched_ms    BIGINT,
    started_ms       BIGINT,
    finished_ms      BIGINT,
    result           TEXT,
    CHECK ((state IN ('dispatched', 'running')) = (lease IS NOT NULL)),
    CHECK ((lease IS NULL) = (lease_expires_ms IS NULL))
);

CREATE INDEX tasks_by_place ON tasks (place);
CREATE INDEX tasks_ready ON tasks (pool, place) WHERE state = 'ready';
CREATE INDEX tasks_leased ON tasks (lease_expires_ms) WHERE lease IS NOT NULL;

CREATE TABLE task_needs (
    task TEXT NOT NULL REFERENCES tasks (task),
    need TEXT NOT NULL REFERENCES tasks (task),
    PRIMARY KEY (task, need),
    CHECK (task <> need)
);

CREATE INDEX task_needs_by_need ON task_needs (need);

-- The tasks of each title's current generation. A title that is withdrawing or final wants none of them any more.
-- One that no plan names is there because one that is named needs it. (1 and 0 as in SQLite, which has no booleans.)
CREATE TABLE title_tasks (
    title   TEXT COLLATE "C" NOT NULL REFERENCES titles (title),
    task    TEXT     NOT NULL REFERENCES tasks (task),
    wanted  SMALLINT NOT NULL CHECK (wanted IN (0, 1)),
    planned SMALLINT NOT NULL CHECK (planned IN (0, 1)),
    PRIMARY KEY (title, task)
);

CREATE INDEX title_tasks_wanted ON title_tasks (task) WHERE wanted = 1;

-- Attempts under way that an earlier generation of a title wanted and the present one may want too: they go on until it
-- is planned. A row goes with the end of its attempt.
CREATE TABLE kept_attempts (
    title TEXT COLLATE "C" NOT NULL REFERENCES titles (title),
    task  TEXT NOT NULL REFERENCES tasks (task),
    PRIMARY KEY (title, task)
);

CREATE INDEX kept_attempts_by_task ON kept_attempts (task);

CREATE TABLE attempts (
    task          TEXT   NOT NULL REFERENCES tasks (task),
    attempt       BIGINT NOT NULL CHECK (attempt >= 1),
    worker        TEXT,
    outcome       TEXT,
    failure       TEXT,
    dispatched_ms BIGINT NOT NULL,
    started_ms    BIGINT,
    finished_ms   BIGINT,
    PRIMARY KEY (task, attempt),
    CHECK ((outcome IS NULL) = (finished_ms IS NULL))
);

CREATE TABLE artifacts (
    artifact TEXT   PRIMARY KEY,
    digest   TEXT   NOT NULL,
    size     BIGINT NOT NULL,
    task     TEXT   NOT NULL REFERENCES tasks (task),
    made_ms  BIGINT NOT NULL
);

-- For the question which of a title's sources were ever put online: facts that stay whatever becomes of the tasks.
CREATE TABLE publications (
    title  TEXT COLLATE "C" NOT NULL,
    origin TEXT NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (title, origin, source)
);

CREATE TABLE readings (
    path   TEXT NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (path, source)
);
