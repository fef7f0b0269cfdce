DROP INDEX tasks_fingerprint;
DROP INDEX tasks_publish;
DROP TABLE kept_attempts;
