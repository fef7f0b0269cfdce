-- What QC leaves to people: the policy that a title was judged by that somebody has to look at, as the SHA-256 of its text,
-- and since when somebody is asked.
ALTER TABLE titles ADD COLUMN policy_digest TEXT;
ALTER TABLE titles ADD COLUMN asked_ms INTEGER;
-- What people decided, about which source, and what the policy had asked.
CREATE TABLE reviews (
    title         TEXT    NOT NULL REFERENCES titles (title),
    number        INTEGER NOT NULL CHECK (number >= 1),
    decided_ms    INTEGER NOT NULL,
    generation    INTEGER NOT NULL,
    decision      TEXT    NOT NULL,
    reviewer      TEXT,
    why           TEXT,
    source_digest TEXT    NOT NULL,
    policy        TEXT    NOT NULL,
    policy_digest TEXT    NOT NULL,
    questions     TEXT    NOT NULL,
    PRIMARY KEY (title, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX reviews_by_time ON reviews (decided_ms);
