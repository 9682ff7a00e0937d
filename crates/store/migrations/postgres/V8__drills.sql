-- A failure that is played for one credential: what that was before, until it is so again. refresh_token holds sealed octets,
-- sealed to the credential; fence is that of the lease under which it is played.
CREATE TABLE drills (
    credential     TEXT PRIMARY KEY REFERENCES credentials (id) ON DELETE CASCADE,
    generation     BIGINT NOT NULL,
    fence          BIGINT NOT NULL,
    refresh_token  BYTEA NOT NULL,
    last_error     TEXT,
    failures       BIGINT NOT NULL,
    due_at         BIGINT,
    updated_at     BIGINT NOT NULL,
    began_at       BIGINT NOT NULL,
    began_by       TEXT NOT NULL
);
