CREATE INDEX tasks_publish ON tasks (specification ->> '$.spec.title') WHERE kind = 'publish';
CREATE INDEX tasks_fingerprint ON tasks (result ->> '$.sha256') WHERE kind = 'fingerprint';
DROP TABLE readings;
DROP TABLE publications;
DROP INDEX tasks_ready;
ALTER TABLE tasks DROP COLUMN pool;
CREATE INDEX tasks_ready ON tasks (place) WHERE state = 'ready';
