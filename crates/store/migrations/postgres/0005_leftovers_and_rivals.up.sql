-- Whether files of a title that are not online may lie at the origin, of this submission or of an earlier one.
ALTER TABLE titles ADD COLUMN leftovers SMALLINT NOT NULL DEFAULT 0 CHECK (leftovers IN (0, 1));

-- Attempts that failed since the task was last planned, and say nothing about it.
ALTER TABLE tasks ADD COLUMN uncounted BIGINT NOT NULL DEFAULT 0;

-- Who has asked lately to lead and could do so as well as any, and until when that counts.
ALTER TABLE leadership ADD COLUMN rival TEXT;
ALTER TABLE leadership ADD COLUMN rival_ms BIGINT NOT NULL DEFAULT 0;
