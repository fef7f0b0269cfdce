DROP TABLE reviews;
-- An older program knows no people who decide: it judges these titles itself. So it does those that are made, which may be so
-- by a decision; what is finished of them is there.
UPDATE titles SET state = 'checking', report = NULL, failure = NULL WHERE state IN ('review', 'preparing');
-- Nor can it read what it knows no code or verdict of.
UPDATE titles SET report = NULL
WHERE report GLOB '*"RF-QC-01[7-9]"*' OR report GLOB '*"RF-QC-0[2-9][0-9]"*' OR report LIKE '%"verdict":"human"%';
UPDATE titles SET failure = json_set(failure, '$.code', 'RF-INT-001')
WHERE failure ->> '$.code' GLOB 'RF-QC-01[7-9]' OR failure ->> '$.code' GLOB 'RF-QC-0[2-9][0-9]'
    OR failure ->> '$.code' IN ('RF-TTL-007', 'RF-TTL-008', 'RF-SRC-007', 'RF-ENC-005');
UPDATE tasks SET last_failure = json_set(last_failure, '$.code', 'RF-INT-001')
WHERE last_failure ->> '$.code' GLOB 'RF-QC-01[7-9]' OR last_failure ->> '$.code' GLOB 'RF-QC-0[2-9][0-9]'
    OR last_failure ->> '$.code' IN ('RF-TTL-007', 'RF-TTL-008', 'RF-SRC-007', 'RF-ENC-005');
UPDATE attempts SET failure = json_set(failure, '$.code', 'RF-INT-001')
WHERE failure ->> '$.code' GLOB 'RF-QC-01[7-9]' OR failure ->> '$.code' GLOB 'RF-QC-0[2-9][0-9]'
    OR failure ->> '$.code' IN ('RF-TTL-007', 'RF-TTL-008', 'RF-SRC-007', 'RF-ENC-005');
ALTER TABLE titles DROP COLUMN asked_ms;
ALTER TABLE titles DROP COLUMN policy_digest;
