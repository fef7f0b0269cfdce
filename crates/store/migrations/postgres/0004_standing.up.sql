-- Where a title's keys come from and what its rights allow, by the history of its submissions.
ALTER TABLE titles ADD COLUMN standing TEXT NOT NULL DEFAULT '{}';
