ALTER TABLE titles DROP COLUMN leftovers;
