-- Applications: OAuth clients that are registered with us. settings and secrets are JSON; secrets holds SHA-256 hashes alone.
CREATE TABLE applications (
    client_id           TEXT PRIMARY KEY,
    settings            TEXT NOT NULL,
    secrets             TEXT NOT NULL,
    registrar           TEXT NOT NULL,
    registration_token  BYTEA,
    revision            BIGINT NOT NULL,
    created_at          BIGINT NOT NULL,
    updated_at          BIGINT NOT NULL
);

-- What registers itself and is never used goes by itself.
CREATE INDEX applications_that_registered_themselves ON applications (created_at) WHERE registrar = 'itself';

-- Assertions of applications (RFC 7523) that were used, by their SHA-256, until they end by themselves.
CREATE TABLE assertions (
    client_id   TEXT NOT NULL,
    assertion   BYTEA NOT NULL,
    expires_at  BIGINT NOT NULL,
    PRIMARY KEY (client_id, assertion)
);

CREATE INDEX assertions_by_end ON assertions (expires_at);

-- People who sign in at our authorize page. password holds an argon2id hash.
CREATE TABLE users (
    id           TEXT PRIMARY KEY,
    backend      TEXT NOT NULL,
    login        TEXT NOT NULL,
    email        TEXT,
    name         TEXT,
    password     TEXT,
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    disabled_at  BIGINT,
    UNIQUE (backend, login)
);

-- Accounts of the product that grants act for.
CREATE TABLE teams (
    id    TEXT PRIMARY KEY,
    name  TEXT NOT NULL
);

CREATE TABLE memberships (
    "user"  TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    team    TEXT NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
    role    TEXT,
    PRIMARY KEY ("user", team)
);

CREATE INDEX memberships_by_team ON memberships (team);

-- Browsers in which somebody is signed in, by the SHA-256 of their cookie.
CREATE TABLE sign_ins (
    browser     BYTEA PRIMARY KEY,
    "user"      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    auth_time   BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL
);

CREATE INDEX sign_ins_by_user ON sign_ins ("user");
CREATE INDEX sign_ins_by_end ON sign_ins (expires_at);

-- Authorization requests that a person is looking at. browser is the SHA-256 of a cookie; request and login are JSON.
CREATE TABLE authorizations (
    id          TEXT PRIMARY KEY,
    client_id   TEXT NOT NULL,
    request     TEXT NOT NULL,
    browser     BYTEA NOT NULL,
    "user"      TEXT REFERENCES users (id) ON DELETE CASCADE,
    auth_time   BIGINT,
    login       TEXT,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    decided_at  BIGINT
);

CREATE INDEX authorizations_by_end ON authorizations (expires_at);
CREATE INDEX authorizations_by_user ON authorizations ("user");
CREATE INDEX authorizations_by_client ON authorizations (client_id);

-- Requests that applications pushed (RFC 9126), by the SHA-256 of what names them.
CREATE TABLE pushed_requests (
    uri         BYTEA PRIMARY KEY,
    client_id   TEXT NOT NULL,
    request     TEXT NOT NULL,
    expires_at  BIGINT NOT NULL
);

CREATE INDEX pushed_requests_by_end ON pushed_requests (expires_at);
CREATE INDEX pushed_requests_by_client ON pushed_requests (client_id);

-- Consents. team is '' where the user acts alone, so that the key holds.
CREATE TABLE grants (
    id          TEXT PRIMARY KEY,
    "user"      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    team        TEXT NOT NULL,
    client_id   TEXT NOT NULL,
    scopes      TEXT NOT NULL,
    resources   TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    used_at     BIGINT,
    UNIQUE ("user", client_id, team)
);

CREATE INDEX grants_by_client ON grants (client_id, id);

-- Authorization codes, by their SHA-256.
CREATE TABLE codes (
    code                BYTEA PRIMARY KEY,
    grant_id            TEXT NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    client_id           TEXT NOT NULL,
    "user"              TEXT NOT NULL,
    team                TEXT,
    redirect_uri        TEXT NOT NULL,
    redirect_uri_named  BIGINT NOT NULL,
    code_challenge      TEXT,
    scopes              TEXT NOT NULL,
    resources           TEXT NOT NULL,
    nonce               TEXT,
    auth_time           BIGINT NOT NULL,
    issued_at           BIGINT NOT NULL,
    expires_at          BIGINT NOT NULL,
    redeemed            TEXT
);

CREATE INDEX codes_by_grant ON codes (grant_id);
CREATE INDEX codes_by_end ON codes (expires_at);

-- What one code began. handle is the SHA-256 of what its refresh tokens have in common, current that of the one that is good.
-- From over_at on neither a refresh token nor an access token of it is good.
CREATE TABLE families (
    id          TEXT PRIMARY KEY,
    grant_id    TEXT NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    client_id   TEXT NOT NULL,
    "user"      TEXT NOT NULL,
    team        TEXT,
    handle      BYTEA UNIQUE,
    current     BYTEA,
    generation  BIGINT NOT NULL,
    scopes      TEXT NOT NULL,
    resources   TEXT NOT NULL,
    auth_time   BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    idle_until  BIGINT NOT NULL,
    ends_at     BIGINT NOT NULL,
    over_at     BIGINT NOT NULL
);

CREATE INDEX families_by_grant ON families (grant_id);
CREATE INDEX families_by_end ON families (over_at);

-- Answers to refresh tokens that are spent (spent is a SHA-256), each sealed under a key that only the spent token yields, until
-- kept_until.
CREATE TABLE refresh_answers (
    spent       BYTEA PRIMARY KEY,
    family      TEXT NOT NULL REFERENCES families (id) ON DELETE CASCADE,
    answer      BYTEA NOT NULL,
    kept_until  BIGINT NOT NULL
);

CREATE INDEX refresh_answers_by_family ON refresh_answers (family);
CREATE INDEX refresh_answers_by_end ON refresh_answers (kept_until);

-- Access tokens, by their SHA-256. family, user and team are NULL where an application acts for itself.
CREATE TABLE access_tokens (
    token       BYTEA PRIMARY KEY,
    family      TEXT REFERENCES families (id) ON DELETE CASCADE,
    client_id   TEXT NOT NULL,
    "user"      TEXT,
    team        TEXT,
    scopes      TEXT NOT NULL,
    audience    TEXT NOT NULL,
    issued_at   BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL
);

CREATE INDEX access_tokens_by_family ON access_tokens (family);
CREATE INDEX access_tokens_by_end ON access_tokens (expires_at);
CREATE INDEX access_tokens_by_client ON access_tokens (client_id);

-- Keys that sign JSON Web Tokens. private_key holds sealed octets, public_key a JSON Web Key.
CREATE TABLE signing_keys (
    id               TEXT PRIMARY KEY,
    algorithm        TEXT NOT NULL,
    private_key      BYTEA NOT NULL,
    public_key       TEXT NOT NULL,
    created_at       BIGINT NOT NULL,
    signs_from       BIGINT NOT NULL,
    published_until  BIGINT
);

-- Of those that make the next one at once, one does.
CREATE UNIQUE INDEX signing_keys_newest ON signing_keys ((published_until IS NULL)) WHERE published_until IS NULL;
