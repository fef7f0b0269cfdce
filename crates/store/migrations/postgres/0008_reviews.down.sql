DROP TABLE reviews;
-- An older program knows no people who decide: it judges these titles itself. So it does those that are made, which may be so
-- by a decision; what is finished of them is there.
UPDATE titles SET state = 'checking', report = NULL, failure = NULL WHERE state IN ('review', 'preparing');
-- Nor can it read what it knows no code or verdict of. The code is the first in a failure; PostgreSQL's own types of JSON
-- refuse U+0000, which may follow.
UPDATE titles SET report = NULL WHERE report ~ '"RF-QC-0(1[7-9]|[2-9][0-9])"|"verdict":"human"';
UPDATE titles
SET failure = regexp_replace(failure,
    '^\{"code":"RF-(QC-0(1[7-9]|[2-9][0-9])|TTL-00[78]|SRC-007|ENC-005)"', '{"code":"RF-INT-001"');
UPDATE tasks
SET last_failure = regexp_replace(last_failure,
    '^\{"code":"RF-(QC-0(1[7-9]|[2-9][0-9])|TTL-00[78]|SRC-007|ENC-005)"', '{"code":"RF-INT-001"')
WHERE last_failure IS NOT NULL;
UPDATE attempts
SET failure = regexp_replace(failure,
    '^\{"code":"RF-(QC-0(1[7-9]|[2-9][0-9])|TTL-00[78]|SRC-007|ENC-005)"', '{"code":"RF-INT-001"')
WHERE failure IS NOT NULL;
ALTER TABLE titles DROP COLUMN asked_ms;
ALTER TABLE titles DROP COLUMN policy_digest;
