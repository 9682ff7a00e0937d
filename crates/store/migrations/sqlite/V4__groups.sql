-- One consent may connect several integrations: each with what was asked for it, as JSON.
ALTER TABLE attempts ADD COLUMN members TEXT NOT NULL DEFAULT '[]';

-- What an account is at the provider, to find who else stands on the same consent.
ALTER TABLE credentials ADD COLUMN account_id TEXT;
UPDATE credentials SET account_id = json_extract(account, '$.id') WHERE account IS NOT NULL;
CREATE INDEX credentials_by_account ON credentials (client_id, account_id, id) WHERE account_id IS NOT NULL;

-- A consent of another account than before waits for the person's word: its credential, the hash of the question's link,
-- and until when it waits.
ALTER TABLE attempts ADD COLUMN held TEXT;
ALTER TABLE attempts ADD COLUMN question BLOB;
ALTER TABLE attempts ADD COLUMN answer_by INTEGER;
CREATE UNIQUE INDEX attempts_by_question ON attempts (question) WHERE question IS NOT NULL;
CREATE INDEX attempts_by_answer ON attempts (answer_by, id) WHERE held IS NOT NULL;

-- Further tokens of the same consent: a person's own beside an app's, or those for another resource.
ALTER TABLE credentials ADD COLUMN parent TEXT REFERENCES credentials (id) ON DELETE CASCADE;
ALTER TABLE credentials ADD COLUMN part TEXT;
CREATE UNIQUE INDEX credentials_by_part ON credentials (parent, part) WHERE parent IS NOT NULL;
