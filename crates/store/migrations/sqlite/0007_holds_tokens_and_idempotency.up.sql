-- Whether an operator keeps the title's tasks from being dispatched.
ALTER TABLE titles ADD COLUMN held INTEGER NOT NULL DEFAULT 0 CHECK (held IN (0, 1));
CREATE INDEX titles_by_state ON titles (state, title);

-- Bearer tokens, as the SHA-256 of what their owner presents.
CREATE TABLE tokens (
    token      TEXT    PRIMARY KEY,
    scope      TEXT    NOT NULL,
    label      TEXT    NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER,
    revoked_ms INTEGER
) STRICT, WITHOUT ROWID;

-- Requests that were made under a key, and what was answered; without an answer one is being worked on.
CREATE TABLE idempotency_keys (
    token      TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    request    TEXT    NOT NULL,
    claim      TEXT    NOT NULL,
    status     INTEGER,
    body       TEXT,
    expires_ms INTEGER NOT NULL,
    PRIMARY KEY (token, key),
    CHECK ((status IS NULL) = (body IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_ms);
