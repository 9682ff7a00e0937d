-- How an application that registered itself said that it proves who it is (RFC 7591 §2). We take both ways of sending a secret, but
-- it is told its own word again.
ALTER TABLE applications ADD COLUMN auth_method TEXT;

-- Until when what an application's document says (Client ID Metadata Documents) is believed without reading it again.
ALTER TABLE applications ADD COLUMN fresh_until BIGINT;

-- What comes by itself and is never used goes by itself.
DROP INDEX applications_that_registered_themselves;
CREATE INDEX applications_that_came_by_themselves ON applications (created_at, client_id, registrar) WHERE registrar <> 'operator';
CREATE INDEX applications_by_freshness ON applications (fresh_until) WHERE registrar = 'document';
