-- Applications: OAuth clients that are registered with us. settings and secrets are JSON; secrets holds SHA-256 hashes alone.
CREATE TABLE applications (
    client_id           TEXT PRIMARY KEY NOT NULL,
    settings            TEXT NOT NULL,
    secrets             TEXT NOT NULL,
    registrar           TEXT NOT NULL,
    registration_token  BLOB,
    revision            INTEGER NOT NULL,
    created_at          INTEGER NOT NULL,
    updated_at          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What registers itself and is never used goes by itself.
CREATE INDEX applications_that_registered_themselves ON applications (created_at) WHERE registrar = 'itself';

-- Assertions of applications (RFC 7523) that were used, by their SHA-256, until they end by themselves.
CREATE TABLE assertions (
    client_id   TEXT NOT NULL,
    assertion   BLOB NOT NULL,
    expires_at  INTEGER NOT NULL,
    PRIMARY KEY (client_id, assertion)
) STRICT, WITHOUT ROWID;

CREATE INDEX assertions_by_end ON assertions (expires_at);

-- People who sign in at our authorize page. password holds an argon2id hash.
CREATE TABLE users (
    id           TEXT PRIMARY KEY NOT NULL,
    backend      TEXT NOT NULL,
    login        TEXT NOT NULL,
    email        TEXT,
    name         TEXT,
    password     TEXT,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    disabled_at  INTEGER,
    UNIQUE (backend, login)
) STRICT, WITHOUT ROWID;

-- Accounts of the product that grants act for.
CREATE TABLE teams (
    id    TEXT PRIMARY KEY NOT NULL,
    name  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE memberships (
    "user"  TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    team    TEXT NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
    role    TEXT,
    PRIMARY KEY ("user", team)
) STRICT, WITHOUT ROWID;

CREATE INDEX memberships_by_team ON memberships (team);

-- Browsers in which somebody is signed in, by the SHA-256 of their cookie.
CREATE TABLE sign_ins (
    browser     BLOB PRIMARY KEY NOT NULL,
    "user"      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    auth_time   INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sign_ins_by_user ON sign_ins ("user");
CREATE INDEX sign_ins_by_end ON sign_ins (expires_at);

-- Authorization requests that a person is looking at. browser is the SHA-256 of a cookie; request and login are JSON.
CREATE TABLE authorizations (
    id          TEXT PRIMARY KEY NOT NULL,
    client_id   TEXT NOT NULL,
    request     TEXT NOT NULL,
    browser     BLOB NOT NULL,
    "user"      TEXT REFERENCES users (id) ON DELETE CASCADE,
    auth_time   INTEGER,
    login       TEXT,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    decided_at  INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX authorizations_by_end ON authorizations (expires_at);
CREATE INDEX authorizations_by_user ON authorizations ("user");
CREATE INDEX authorizations_by_client ON authorizations (client_id);

-- Requests that applications pushed (RFC 9126), by the SHA-256 of what names them.
CREATE TABLE pushed_requests (
    uri         BLOB PRIMARY KEY NOT NULL,
    client_id   TEXT NOT NULL,
    request     TEXT NOT NULL,
    expires_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX pushed_requests_by_end ON pushed_requests (expires_at);
CREATE INDEX pushed_requests_by_client ON pushed_requests (client_id);

-- Consents. team is '' where the user acts alone, so that the key holds.
CREATE TABLE grants (
    id          TEXT PRIMARY KEY NOT NULL,
    "user"      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    team        TEXT NOT NULL,
    client_id   TEXT NOT NULL,
    scopes      TEXT NOT NULL,
    resources   TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    used_at     INTEGER,
    UNIQUE ("user", client_id, team)
) STRICT, WITHOUT ROWID;

CREATE INDEX grants_by_client ON grants (client_id, id);

-- Authorization codes, by their SHA-256.
CREATE TABLE codes (
    code                BLOB PRIMARY KEY NOT NULL,
    grant_id            TEXT NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    client_id           TEXT NOT NULL,
    "user"              TEXT NOT NULL,
    team                TEXT,
    redirect_uri        TEXT NOT NULL,
    redirect_uri_named  INTEGER NOT NULL,
    code_challenge      TEXT,
    scopes              TEXT NOT NULL,
    resources           TEXT NOT NULL,
    nonce               TEXT,
    auth_time           INTEGER NOT NULL,
    issued_at           INTEGER NOT NULL,
    expires_at          INTEGER NOT NULL,
    redeemed            TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX codes_by_grant ON codes (grant_id);
CREATE INDEX codes_by_end ON codes (expires_at);

-- What one code began. handle is the SHA-256 of what its refresh tokens have in common, current that of the one that is good.
-- From over_at on neither a refresh token nor an access token of it is good.
CREATE TABLE families (
    id          TEXT PRIMARY KEY NOT NULL,
    grant_id    TEXT NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    client_id   TEXT NOT NULL,
    "user"      TEXT NOT NULL,
    team        TEXT,
    handle      BLOB UNIQUE,
    current     BLOB,
    generation  INTEGER NOT NULL,
    scopes      TEXT NOT NULL,
    resources   TEXT NOT NULL,
    auth_time   INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    idle_until  INTEGER NOT NULL,
    ends_at     INTEGER NOT NULL,
    over_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX families_by_grant ON families (grant_id);
CREATE INDEX families_by_end ON families (over_at);

-- Answers to refresh tokens that are spent (spent is a SHA-256), each sealed under a key that only the spent token yields, until
-- kept_until.
CREATE TABLE refresh_answers (
    spent       BLOB PRIMARY KEY NOT NULL,
    family      TEXT NOT NULL REFERENCES families (id) ON DELETE CASCADE,
    answer      BLOB NOT NULL,
    kept_until  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX refresh_answers_by_family ON refresh_answers (family);
CREATE INDEX refresh_answers_by_end ON refresh_answers (kept_until);

-- Access tokens, by their SHA-256. family, user and team are NULL where an application acts for itself.
CREATE TABLE access_tokens (
    token       BLOB PRIMARY KEY NOT NULL,
    family      TEXT REFERENCES families (id) ON DELETE CASCADE,
    client_id   TEXT NOT NULL,
    "user"      TEXT,
    team        TEXT,
    scopes      TEXT NOT NULL,
    audience    TEXT NOT NULL,
    issued_at   INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX access_tokens_by_family ON access_tokens (family);
CREATE INDEX access_tokens_by_end ON access_tokens (expires_at);
CREATE INDEX access_tokens_by_client ON access_tokens (client_id);

-- Keys that sign JSON Web Tokens. private_key holds sealed octets, public_key a JSON Web Key.
CREATE TABLE signing_keys (
    id               TEXT PRIMARY KEY NOT NULL,
    algorithm        TEXT NOT NULL,
    private_key      BLOB NOT NULL,
    public_key       TEXT NOT NULL,
    created_at       INTEGER NOT NULL,
    signs_from       INTEGER NOT NULL,
    published_until  INTEGER
) STRICT, WITHOUT ROWID;

-- Of those that make the next one at once, one does.
CREATE UNIQUE INDEX signing_keys_newest ON signing_keys ((published_until IS NULL)) WHERE published_until IS NULL;
