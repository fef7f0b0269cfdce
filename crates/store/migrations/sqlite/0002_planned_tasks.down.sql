ALTER TABLE title_tasks DROP COLUMN planned;
