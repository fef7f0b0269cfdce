-- Who writes. There is one row, and its term only ever rises.
CREATE TABLE leadership (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    term       INTEGER NOT NULL CHECK (term >= 1),
    holder     TEXT    NOT NULL,
    address    TEXT    NOT NULL,
    expires_ms INTEGER NOT NULL
) STRICT;

-- Attempts whose message the broker has not confirmed yet, in the order of dispatch.
CREATE TABLE outbox (
    place    INTEGER PRIMARY KEY,
    task     TEXT    NOT NULL UNIQUE REFERENCES tasks (task),
    attempt  INTEGER NOT NULL,
    title    TEXT    NOT NULL,
    lease_ms INTEGER NOT NULL
) STRICT;
