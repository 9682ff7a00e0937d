-- How often something was done of late. hits are instants, newest first. UNLOGGED: a hit waits for no disk; after a crash of the
-- server, or on the one that takes its place, the counters begin anew.
CREATE UNLOGGED TABLE limits (
    key         BYTEA PRIMARY KEY,
    hits        BIGINT[] NOT NULL,
    expires_at  BIGINT NOT NULL
) WITH (fillfactor = 70);

CREATE INDEX limits_by_end ON limits (expires_at);
