DROP TABLE idempotency_keys;
DROP TABLE tokens;
DROP INDEX titles_by_state;
ALTER TABLE titles DROP COLUMN held;
