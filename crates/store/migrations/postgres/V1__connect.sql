-- Times are milliseconds since the Unix epoch. JSON is TEXT: its escapes carry every character, NUL too.
-- Columns named access_token, refresh_token, extra, client_secret and code_verifier hold sealed octets;
-- ticket, state, binding_hash and hash hold SHA-256.

CREATE TABLE subjects (
    id          TEXT PRIMARY KEY,
    name        TEXT,
    mail        TEXT,
    language    TEXT,
    metadata    TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL
);

-- subject is '' for the whole instance: NULLs would not be unique.
CREATE TABLE integrations (
    id             TEXT NOT NULL,
    subject        TEXT NOT NULL,
    provider       TEXT NOT NULL,
    client_id      TEXT NOT NULL,
    client_secret  BYTEA,
    scopes         TEXT,
    redirect_uri   TEXT,
    updated_at     BIGINT NOT NULL,
    PRIMARY KEY (subject, id)
);

CREATE TABLE attempts (
    id             TEXT PRIMARY KEY,
    ticket         BYTEA UNIQUE,
    state          BYTEA UNIQUE,
    binding_hash   BYTEA,
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
    code_verifier  BYTEA,
    started_by     TEXT NOT NULL,
    issued_at      BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    consumed_at    BIGINT
);

CREATE INDEX attempts_by_end ON attempts (expires_at);

CREATE TABLE credentials (
    id             TEXT PRIMARY KEY,
    subject        TEXT NOT NULL,
    integration    TEXT NOT NULL,
    provider       TEXT NOT NULL,
    client_id      TEXT NOT NULL,
    token_url      TEXT NOT NULL,
    generation     BIGINT NOT NULL,
    account        TEXT,
    access_token   BYTEA,
    refresh_token  BYTEA,
    extra          BYTEA,
    token_type     TEXT NOT NULL,
    scopes         TEXT NOT NULL,
    expires_at     BIGINT,
    obtained_at    BIGINT NOT NULL,
    refreshed_at   BIGINT,
    broken_at      BIGINT,
    broken_reason  TEXT,
    last_error     TEXT,
    updated_at     BIGINT NOT NULL
);

-- credential is NULL exactly when the connection is disconnected.
CREATE TABLE connections (
    subject           TEXT NOT NULL,
    integration       TEXT NOT NULL,
    label             TEXT NOT NULL,
    id                TEXT NOT NULL UNIQUE,
    credential        TEXT REFERENCES credentials (id),
    disconnected_at   BIGINT,
    disconnected_by   TEXT,
    generation        BIGINT NOT NULL,
    metadata          TEXT NOT NULL,
    requested_scopes  TEXT NOT NULL,
    connected_at      BIGINT NOT NULL,
    connected_by      TEXT NOT NULL,
    updated_at        BIGINT NOT NULL,
    PRIMARY KEY (subject, integration, label)
);

CREATE INDEX connections_by_credential ON connections (credential);
CREATE INDEX connections_by_integration ON connections (integration, id);

CREATE TABLE api_keys (
    id          TEXT PRIMARY KEY,
    hash        BYTEA NOT NULL UNIQUE,
    name        TEXT NOT NULL,
    scopes      TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    revoked_at  BIGINT
);

CREATE TABLE keyring (
    version        BIGINT PRIMARY KEY,
    master_key_id  TEXT NOT NULL,
    wrapped        BYTEA NOT NULL
);

CREATE TABLE audit (
    writer    TEXT NOT NULL,
    sequence  BIGINT NOT NULL,
    at        BIGINT NOT NULL,
    event     TEXT NOT NULL,
    previous  BYTEA NOT NULL,
    hash      BYTEA NOT NULL,
    PRIMARY KEY (writer, sequence)
);

CREATE INDEX audit_by_time ON audit (at, writer, sequence);
