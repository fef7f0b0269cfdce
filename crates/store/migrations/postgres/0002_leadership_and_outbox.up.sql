-- Who writes. There is one row, and its term only ever rises.
CREATE TABLE leadership (
    one        SMALLINT PRIMARY KEY CHECK (one = 1),
    term       BIGINT   NOT NULL CHECK (term >= 1),
    holder     TEXT     NOT NULL,
    address    TEXT     NOT NULL,
    expires_ms BIGINT   NOT NULL
);

-- Attempts whose message the broker has not confirmed yet, in the order of dispatch.
CREATE TABLE outbox (
    place    BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task     TEXT   NOT NULL UNIQUE REFERENCES tasks (task),
    attempt  BIGINT NOT NULL,
    title    TEXT   COLLATE "C" NOT NULL,
    lease_ms BIGINT NOT NULL
);
