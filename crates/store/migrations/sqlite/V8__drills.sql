-- A failure that is played for one credential: what that was before, until it is so again. refresh_token holds sealed octets,
-- sealed to the credential; fence is that of the lease under which it is played.
CREATE TABLE drills (
    credential     TEXT PRIMARY KEY NOT NULL REFERENCES credentials (id) ON DELETE CASCADE,
    generation     INTEGER NOT NULL,
    fence          INTEGER NOT NULL,
    refresh_token  BLOB NOT NULL,
    last_error     TEXT,
    failures       INTEGER NOT NULL,
    due_at         INTEGER,
    updated_at     INTEGER NOT NULL,
    began_at       INTEGER NOT NULL,
    began_by       TEXT NOT NULL
) STRICT, WITHOUT ROWID;
