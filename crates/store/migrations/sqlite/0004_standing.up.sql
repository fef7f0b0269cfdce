-- Where a title's keys come from and what its rights allow, by the history of its submissions.
ALTER TABLE titles ADD COLUMN standing TEXT NOT NULL DEFAULT '{}';

-- Of the history before, the latest submission is known.
UPDATE titles SET standing = json_object(
    'accepted', json_object('protection', json(submission -> '$.protection'))
) WHERE submission -> '$.protection' IS NOT NULL;
UPDATE titles SET standing = json_set(standing, '$.published', standing -> '$.accepted')
WHERE state = 'published' AND submission -> '$.protection' IS NOT NULL;
