-- When a data key was made, and when nothing was sealed with an older one any more.
ALTER TABLE keyring ADD COLUMN created_at INTEGER;
ALTER TABLE keyring ADD COLUMN spread_at INTEGER;
