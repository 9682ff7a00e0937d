-- Whose affair an entry is, as its event says it too; the hash does not cover these columns. Entries of the schema before have
-- none.
ALTER TABLE audit ADD COLUMN subject TEXT;
ALTER TABLE audit ADD COLUMN integration TEXT;

CREATE INDEX audit_by_subject ON audit (subject, at, writer, sequence) WHERE subject IS NOT NULL;
CREATE INDEX audit_by_connection ON audit (subject, integration, at, writer, sequence) WHERE integration IS NOT NULL;
