-- Grants of connections that are gone here and that their providers may still honour. The tokens are sealed to the credential
-- that they came from, which no longer has a row.
CREATE TABLE revocations (
    id             TEXT PRIMARY KEY,
    credential     TEXT NOT NULL,
    subject        TEXT NOT NULL,
    integration    TEXT NOT NULL,
    provider       TEXT NOT NULL,
    client_id      TEXT NOT NULL,
    url            TEXT NOT NULL,
    label          TEXT,
    account        TEXT,
    access_token   BYTEA,
    refresh_token  BYTEA,
    attempts       BIGINT NOT NULL,
    due_at         BIGINT NOT NULL,
    created_at     BIGINT NOT NULL,
    last_error     TEXT
);

CREATE INDEX revocations_by_due ON revocations (due_at, id);
