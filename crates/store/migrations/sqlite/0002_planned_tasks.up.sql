-- Whether a plan of the generation names the task. One that no plan names is there because one that is named needs it.
ALTER TABLE title_tasks ADD COLUMN planned INTEGER NOT NULL DEFAULT 1 CHECK (planned IN (0, 1));
