-- What QC leaves to people: the policy that a title was judged by that somebody has to look at, as the SHA-256 of its text,
-- and since when somebody is asked.
ALTER TABLE titles ADD COLUMN policy_digest TEXT;
ALTER TABLE titles ADD COLUMN asked_ms BIGINT;
-- What people decided, about which source, and what the policy had asked.
CREATE TABLE reviews (
    title         TEXT COLLATE "C" NOT NULL REFERENCES titles (title),
    number        BIGINT NOT NULL CHECK (number >= 1),
    decided_ms    BIGINT NOT NULL,
    generation    BIGINT NOT NULL,
    decision      TEXT   NOT NULL,
    reviewer      TEXT,
    why           TEXT,
    source_digest TEXT   NOT NULL,
    policy        TEXT   NOT NULL,
    policy_digest TEXT   NOT NULL,
    questions     TEXT   NOT NULL,
    PRIMARY KEY (title, number)
);
CREATE INDEX reviews_by_time ON reviews (decided_ms);
