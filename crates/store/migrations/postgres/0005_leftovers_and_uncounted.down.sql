ALTER TABLE tasks DROP COLUMN uncounted;
ALTER TABLE titles DROP COLUMN leftovers;
