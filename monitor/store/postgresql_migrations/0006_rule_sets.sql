-- By which rules each worker judges the accounts of its configuration: an account and a digest of the names, in two arrays of one length. Kept when
-- the worker leaves, so that one that has not read a changed configuration yet does not take its rules for removed.
CREATE TABLE rule_set (
    worker   INTEGER PRIMARY KEY,
    host     TEXT COLLATE "C" NOT NULL,
    seen_at  TIMESTAMPTZ NOT NULL,
    accounts TEXT[] COLLATE "C" NOT NULL,
    digests  TEXT[] COLLATE "C" NOT NULL
);
