DROP INDEX tasks_before_the_plan;
CREATE INDEX tasks_before_the_plan ON tasks (task) WHERE kind IN ('fingerprint', 'qc', 'subtitles');
-- An older program knows no tasks of these kinds. It plans titles anew that have some.
UPDATE titles SET state = 'checking', report = NULL, failure = NULL WHERE state = 'preparing' AND title IN
    (SELECT title_tasks.title FROM title_tasks JOIN tasks USING (task) WHERE kind IN ('trial', 'assemble-video'));
DELETE FROM task_needs WHERE task IN (SELECT task FROM tasks WHERE kind IN ('trial', 'assemble-video'))
    OR need IN (SELECT task FROM tasks WHERE kind IN ('trial', 'assemble-video'));
DELETE FROM title_tasks WHERE task IN (SELECT task FROM tasks WHERE kind IN ('trial', 'assemble-video'));
DELETE FROM kept_attempts WHERE task IN (SELECT task FROM tasks WHERE kind IN ('trial', 'assemble-video'));
DELETE FROM attempts WHERE task IN (SELECT task FROM tasks WHERE kind IN ('trial', 'assemble-video'));
DELETE FROM artifacts WHERE task IN (SELECT task FROM tasks WHERE kind IN ('trial', 'assemble-video'));
DELETE FROM tasks WHERE kind IN ('trial', 'assemble-video');
