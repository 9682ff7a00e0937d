-- Rights to use a page, each with the link that leads there. Columns named email and link_token hold sealed octets, those named
-- link, state and browser hold SHA-256. email is there exactly when the link was mailed.
CREATE TABLE portal_sessions (
    id            TEXT PRIMARY KEY NOT NULL,
    link          BLOB NOT NULL UNIQUE,
    subject       TEXT NOT NULL,
    page          TEXT NOT NULL,
    integrations  TEXT,
    return_to     TEXT,
    language      TEXT,
    email         BLOB,
    mail          TEXT,
    created_by    TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    link_since    INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    opened_at     INTEGER,
    completed_at  INTEGER,
    withdrawn_at  INTEGER
) STRICT;

CREATE INDEX portal_sessions_by_subject ON portal_sessions (subject, id);
CREATE INDEX portal_sessions_by_end ON portal_sessions (expires_at, id);

-- The browsers that opened a link, by the hash of their cookie.
CREATE TABLE portal_browsers (
    browser     BLOB PRIMARY KEY NOT NULL,
    session     TEXT NOT NULL REFERENCES portal_sessions (id) ON DELETE CASCADE,
    expires_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX portal_browsers_by_session ON portal_browsers (session);
CREATE INDEX portal_browsers_by_end ON portal_browsers (expires_at);

-- Every mail that was asked for. link_token is what is to be sent; it goes when the mail has ended.
CREATE TABLE mails (
    id          TEXT PRIMARY KEY NOT NULL,
    session     TEXT NOT NULL REFERENCES portal_sessions (id) ON DELETE CASCADE,
    subject     TEXT NOT NULL,
    link_token  BLOB,
    attempts    INTEGER NOT NULL,
    due_at      INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    last_error  TEXT
) STRICT;

CREATE INDEX mails_by_due ON mails (due_at, id) WHERE link_token IS NOT NULL;
CREATE INDEX mails_by_subject ON mails (subject, created_at);
CREATE INDEX mails_by_session ON mails (session);

-- A subject's account at Stripe: expected from when it is made, the subject's own from linked_at on. nonce is what the
-- idempotency key of its making comes from.
CREATE TABLE stripe_accounts (
    subject          TEXT PRIMARY KEY NOT NULL,
    nonce            TEXT NOT NULL,
    account          TEXT UNIQUE,
    facts            TEXT,
    created_at       INTEGER NOT NULL,
    checked_at       INTEGER,
    linked_at        INTEGER,
    linked_by        TEXT,
    deauthorized_at  INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE stripe_attempts (
    id           TEXT PRIMARY KEY NOT NULL,
    state        BLOB NOT NULL UNIQUE,
    session      TEXT NOT NULL,
    subject      TEXT NOT NULL,
    account      TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    consumed_at  INTEGER
) STRICT;

CREATE INDEX stripe_attempts_by_end ON stripe_attempts (expires_at, id);
CREATE INDEX stripe_attempts_by_subject ON stripe_attempts (subject);

-- Events that were put into effect, so that one that comes again is not.
CREATE TABLE stripe_events (
    id           TEXT PRIMARY KEY NOT NULL,
    received_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX stripe_events_by_time ON stripe_events (received_at);
