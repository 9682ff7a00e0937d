-- Times are milliseconds since the Unix epoch. JSON is TEXT: its escapes carry every character, NUL too.
-- Columns named access_token, refresh_token, extra, client_secret and code_verifier hold sealed octets;
-- ticket, state, binding_hash and hash hold SHA-256.

CREATE TABLE subjects (
    id          TEXT PRIMARY KEY NOT NULL,
    name        TEXT,
    mail        TEXT,
    language    TEXT,
    metadata    TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- subject is '' for the whole instance: NULLs would not be unique.
CREATE TABLE integrations (
    id             TEXT NOT NULL,
    subject        TEXT NOT NULL,
    provider       TEXT NOT NULL,
    client_id      TEXT NOT NULL,
    client_secret  BLOB,
    scopes         TEXT,
    redirect_uri   TEXT,
    updated_at     INTEGER NOT NULL,
    PRIMARY KEY (subject, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE attempts (
    id             TEXT PRIMARY KEY NOT NULL,
    ticket         BLOB UNIQUE,
    state          BLOB UNIQUE,
    binding_hash   BLOB,
    subject        TEXT NOT NULL,
    integration    TEXT NOT NULL,
    label          TEXT NOT NULL,
    provider       TEXT NOT NULL,
    origin         TEXT NOT NULL,
    return_to      TEXT,
    binding        TEXT NOT NULL,
    scopes         TEXT NOT NULL,
    client_id      TEXT NOT NULL,
    redirect_uri   TEXT NOT NULL,
    token_url      TEXT NOT NULL,
    issuer         TEXT,
    authorize_url  TEXT NOT NULL,
    code_verifier  BLOB,
    started_by     TEXT NOT NULL,
    issued_at      INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL,
    consumed_at    INTEGER
) STRICT;

CREATE INDEX attempts_by_end ON attempts (expires_at);

CREATE TABLE credentials (
    id             TEXT PRIMARY KEY NOT NULL,
    subject        TEXT NOT NULL,
    integration    TEXT NOT NULL,
    provider       TEXT NOT NULL,
    client_id      TEXT NOT NULL,
    token_url      TEXT NOT NULL,
    generation     INTEGER NOT NULL,
    account        TEXT,
    access_token   BLOB,
    refresh_token  BLOB,
    extra          BLOB,
    token_type     TEXT NOT NULL,
    scopes         TEXT NOT NULL,
    expires_at     INTEGER,
    obtained_at    INTEGER NOT NULL,
    refreshed_at   INTEGER,
    broken_at      INTEGER,
    broken_reason  TEXT,
    last_error     TEXT,
    updated_at     INTEGER NOT NULL
) STRICT;

-- Without a rowid, so that the hot path's look-up by subject, integration and label finds the row itself.
-- credential is NULL exactly when the connection is disconnected.
CREATE TABLE connections (
    subject           TEXT NOT NULL,
    integration       TEXT NOT NULL,
    label             TEXT NOT NULL,
    id                TEXT NOT NULL UNIQUE,
    credential        TEXT REFERENCES credentials (id),
    disconnected_at   INTEGER,
    disconnected_by   TEXT,
    generation        INTEGER NOT NULL,
    metadata          TEXT NOT NULL,
    requested_scopes  TEXT NOT NULL,
    connected_at      INTEGER NOT NULL,
    connected_by      TEXT NOT NULL,
    updated_at        INTEGER NOT NULL,
    PRIMARY KEY (subject, integration, label)
) STRICT, WITHOUT ROWID;

CREATE INDEX connections_by_credential ON connections (credential);
CREATE INDEX connections_by_integration ON connections (integration, id);

CREATE TABLE api_keys (
    id          TEXT PRIMARY KEY NOT NULL,
    hash        BLOB NOT NULL UNIQUE,
    name        TEXT NOT NULL,
    scopes      TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    revoked_at  INTEGER
) STRICT;

CREATE TABLE keyring (
    version        INTEGER PRIMARY KEY NOT NULL,
    master_key_id  TEXT NOT NULL,
    wrapped        BLOB NOT NULL
) STRICT;

CREATE TABLE audit (
    writer    TEXT NOT NULL,
    sequence  INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    event     TEXT NOT NULL,
    previous  BLOB NOT NULL,
    hash      BLOB NOT NULL,
    PRIMARY KEY (writer, sequence)
) STRICT;

CREATE INDEX audit_by_time ON audit (at, writer, sequence);
