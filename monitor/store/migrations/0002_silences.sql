-- Silences and acknowledgements, and what finds past notifications and beginnings of alerts by their time.

CREATE TABLE silence (
    id   TEXT PRIMARY KEY,
    data BLOB NOT NULL
);

CREATE TABLE acknowledgement (
    fingerprint TEXT PRIMARY KEY,
    data        BLOB NOT NULL
);

CREATE INDEX parcel_created ON parcel (created_at);
