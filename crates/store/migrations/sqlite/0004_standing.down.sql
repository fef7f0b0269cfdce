ALTER TABLE titles DROP COLUMN standing;
