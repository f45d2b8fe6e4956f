-- Whose an alert is, which is in its JSON too: a daemon that takes an account reads no other's alerts. Empty where a version before wrote the row.
ALTER TABLE alert ADD COLUMN account TEXT COLLATE "C" NOT NULL DEFAULT '';
