-- Attempts that failed for a reason of the host's do not count against the task: they are counted apart.
ALTER TABLE tasks ADD COLUMN host_failures INTEGER NOT NULL DEFAULT 0;
