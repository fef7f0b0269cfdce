-- Trials are done before their title is planned, as measurements are.
DROP INDEX tasks_before_the_plan;
CREATE INDEX tasks_before_the_plan ON tasks (task) WHERE kind IN ('fingerprint', 'qc', 'trial', 'subtitles');
