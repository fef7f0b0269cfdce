DROP TABLE expedites;
ALTER TABLE titles DROP COLUMN expedited_ms;
ALTER TABLE titles DROP COLUMN arrived_ms;
DROP INDEX attempts_completed;
DROP INDEX tasks_ready;
CREATE INDEX tasks_ready ON tasks (pool, place) WHERE state = 'ready';
ALTER TABLE tasks DROP COLUMN expected_ms;
ALTER TABLE title_tasks DROP COLUMN part;
ALTER TABLE title_tasks DROP COLUMN tail_ms;
