-- One row for each record that cannot be read, however often it comes: "at" is when it was seen last, "first_at" when first, "seen" how often.

ALTER TABLE aside ADD COLUMN first_at INTEGER;
ALTER TABLE aside ADD COLUMN seen INTEGER NOT NULL DEFAULT 1;

CREATE INDEX aside_record ON aside (account, search, record);

UPDATE aside SET (first_at, seen, at) = (
    SELECT min(same.at), count(*), max(same.at) FROM aside AS same
    WHERE same.account = aside.account AND same.search = aside.search AND same.record = aside.record);
DELETE FROM aside WHERE id NOT IN (SELECT min(id) FROM aside GROUP BY account, search, record);
