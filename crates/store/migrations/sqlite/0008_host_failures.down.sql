ALTER TABLE tasks DROP COLUMN host_failures;
