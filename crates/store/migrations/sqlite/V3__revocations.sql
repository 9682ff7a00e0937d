-- Grants of connections that are gone here and that their providers may still honour. The tokens are sealed to the credential
-- that they came from, which no longer has a row.
CREATE TABLE revocations (
    id             TEXT PRIMARY KEY NOT NULL,
    credential     TEXT NOT NULL,
    subject        TEXT NOT NULL,
    integration    TEXT NOT NULL,
    provider       TEXT NOT NULL,
    client_id      TEXT NOT NULL,
    url            TEXT NOT NULL,
    label          TEXT,
    account        TEXT,
    access_token   BLOB,
    refresh_token  BLOB,
    attempts       INTEGER NOT NULL,
    due_at         INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    last_error     TEXT
) STRICT;

CREATE INDEX revocations_by_due ON revocations (due_at, id);
