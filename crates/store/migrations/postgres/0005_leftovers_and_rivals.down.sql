ALTER TABLE leadership DROP COLUMN rival_ms;
ALTER TABLE leadership DROP COLUMN rival;
ALTER TABLE tasks DROP COLUMN uncounted;
ALTER TABLE titles DROP COLUMN leftovers;
