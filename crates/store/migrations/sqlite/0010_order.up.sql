-- What order follows from: the part of a title that needs a task, what is left of the critical path of that part from the
-- start of the task on, and how long the task was expected to take when it was planned.
ALTER TABLE title_tasks ADD COLUMN tail_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE title_tasks ADD COLUMN part TEXT NOT NULL DEFAULT 'whole' CHECK (part IN ('first', 'whole', 'rest'));
ALTER TABLE tasks ADD COLUMN expected_ms INTEGER NOT NULL DEFAULT 0;
-- The scheduler reads the backlog once and knows it from then on: all from this index, without a look at each task.
DROP INDEX tasks_ready;
CREATE INDEX tasks_ready ON tasks (task, kind, pool, not_before_ms) WHERE state = 'ready';
-- What is done before the plan, which is no part of what is left of a planned title; and what a title may end by.
-- The store's questions have the conditions word for word.
CREATE INDEX tasks_before_the_plan ON tasks (task) WHERE kind IN ('fingerprint', 'qc', 'subtitles');
CREATE INDEX tasks_deciding ON tasks (task) WHERE state = 'failed' OR (state = 'done' AND kind = 'publish');
-- How long tasks took, the latest first.
CREATE INDEX attempts_completed ON attempts (finished_ms) WHERE outcome = 'completed';
-- Deadlines follow from when a title arrived, however often it is submitted.
ALTER TABLE titles ADD COLUMN arrived_ms INTEGER NOT NULL DEFAULT 0;
UPDATE titles SET arrived_ms = submitted_ms;
-- Titles that somebody had go before all others of their route, each with the reason.
ALTER TABLE titles ADD COLUMN expedited_ms INTEGER;
CREATE TABLE expedites (
    title        TEXT NOT NULL REFERENCES titles (title),
    expedited_ms INTEGER NOT NULL,
    route        TEXT NOT NULL,
    requester    TEXT,
    why          TEXT NOT NULL,
    PRIMARY KEY (title, expedited_ms)
) STRICT, WITHOUT ROWID;
CREATE INDEX expedites_by_time ON expedites (expedited_ms);
