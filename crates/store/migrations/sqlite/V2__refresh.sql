-- What stands between a credential and its next tokens.
ALTER TABLE credentials ADD COLUMN fence INTEGER NOT NULL DEFAULT 0;
ALTER TABLE credentials ADD COLUMN tokens_fence INTEGER NOT NULL DEFAULT 0;
ALTER TABLE credentials ADD COLUMN lease_holder TEXT;
ALTER TABLE credentials ADD COLUMN lease_until INTEGER;
ALTER TABLE credentials ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE credentials ADD COLUMN due_at INTEGER;
ALTER TABLE credentials ADD COLUMN used_at INTEGER;
ALTER TABLE credentials ADD COLUMN grant_started_at INTEGER;
ALTER TABLE credentials ADD COLUMN grant_ends_at INTEGER;
ALTER TABLE credentials ADD COLUMN warned_days INTEGER;

CREATE INDEX credentials_by_due ON credentials (due_at, id) WHERE due_at IS NOT NULL AND broken_at IS NULL;
CREATE INDEX credentials_by_lease ON credentials (lease_until, id) WHERE lease_until IS NOT NULL;
CREATE INDEX credentials_by_grant_end ON credentials (grant_ends_at, id) WHERE grant_ends_at IS NOT NULL;

-- One call of a provider each. answer is JSON: the sealed tokens of an orphan.
CREATE TABLE refresh_journal (
    credential  TEXT NOT NULL REFERENCES credentials (id) ON DELETE CASCADE,
    fence       INTEGER NOT NULL,
    generation  INTEGER NOT NULL,
    phase       TEXT NOT NULL,
    silent      INTEGER NOT NULL,
    holder      TEXT,
    started_at  INTEGER NOT NULL,
    answer      TEXT,
    PRIMARY KEY (credential, fence)
) STRICT, WITHOUT ROWID;

-- While it has its row, nothing is refreshed.
CREATE TABLE refresh_hold (
    id       INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
    since    INTEGER NOT NULL,
    reason   TEXT NOT NULL,
    held_by  TEXT NOT NULL
) STRICT;

-- Tokens that are there already are refreshed five minutes before their end.
UPDATE credentials SET due_at = expires_at - 300000
    WHERE refresh_token IS NOT NULL AND expires_at IS NOT NULL AND broken_at IS NULL;
UPDATE credentials SET used_at = updated_at, grant_started_at = obtained_at;
