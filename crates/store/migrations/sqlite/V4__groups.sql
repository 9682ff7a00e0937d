-- One consent may connect several integrations: each with what was asked for it, as JSON.
ALTER TABLE attempts ADD COLUMN members TEXT NOT NULL DEFAULT '[]';

-- What an account is at the provider, to find who else stands on the same consent.
ALTER TABLE credentials ADD COLUMN account_id TEXT;
UPDATE credentials SET account_id = json_extract(account, '$.id') WHERE account IS NOT NULL;
CREATE INDEX credentials_by_account ON credentials (client_id, account_id, id) WHERE account_id IS NOT NULL;
