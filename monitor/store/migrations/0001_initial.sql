-- Instants are microseconds since 1970 UTC. Columns named "data" hold one struct as JSON; the columns beside it are for finding it.

CREATE TABLE secret (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

-- AUTOINCREMENT, here and below: a number is never given twice, also after the newest row was deleted.
CREATE TABLE journal (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    account  TEXT NOT NULL,
    rows     BLOB NOT NULL
);
CREATE INDEX journal_account ON journal (account);

CREATE TABLE entry (
    account TEXT NOT NULL,
    field   TEXT NOT NULL,
    code    INTEGER NOT NULL,
    value   TEXT NOT NULL,
    PRIMARY KEY (account, field, code)
) WITHOUT ROWID;

CREATE TABLE cursor (
    account TEXT NOT NULL,
    search  TEXT NOT NULL,
    data    BLOB NOT NULL,
    PRIMARY KEY (account, search)
) WITHOUT ROWID;

CREATE TABLE alert (
    fingerprint TEXT PRIMARY KEY,
    resolved_at INTEGER,
    data        BLOB NOT NULL
);

CREATE TABLE transition (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    fingerprint TEXT NOT NULL,
    rule        TEXT NOT NULL,
    at          INTEGER NOT NULL,
    what        TEXT NOT NULL,
    because     TEXT,
    value       REAL
);
CREATE INDEX transition_at ON transition (at);

-- "group" is a word of SQL
CREATE TABLE alert_group (
    key      TEXT NOT NULL,
    receiver TEXT NOT NULL,
    episode  TEXT NOT NULL,
    data     BLOB NOT NULL,
    PRIMARY KEY (key, receiver)
);

-- The notification stands last: it is long, and whoever looks only at the state need not read past it.
CREATE TABLE parcel (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    receiver     TEXT NOT NULL,
    channel      TEXT NOT NULL,
    key          TEXT NOT NULL,
    group_key    TEXT NOT NULL,
    episode      TEXT NOT NULL,
    state        TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'dead')),
    attempts     INTEGER NOT NULL DEFAULT 0,
    next_at      INTEGER NOT NULL DEFAULT 0,
    created_at   INTEGER NOT NULL,
    done_at      INTEGER,
    error        TEXT NOT NULL DEFAULT '',
    receipt      TEXT,
    notification BLOB NOT NULL,
    UNIQUE (receiver, channel, key)
);
CREATE INDEX parcel_group ON parcel (receiver, channel, state, group_key);
CREATE INDEX parcel_episode ON parcel (receiver, channel, state, episode);
CREATE INDEX parcel_state ON parcel (state);

CREATE TABLE aside (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    search  TEXT NOT NULL,
    at      INTEGER NOT NULL,
    why     TEXT NOT NULL,
    record  TEXT NOT NULL
);
