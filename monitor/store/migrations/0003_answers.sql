-- What Routee answered besides messages (balance, campaigns), and which version of the program wrote here last.

CREATE TABLE fact (
    account TEXT PRIMARY KEY,
    data    BLOB NOT NULL
);

CREATE TABLE written_by (
    only    INTEGER PRIMARY KEY CHECK (only = 1),
    version TEXT NOT NULL
);

-- What is forgotten because of its age is found without reading the rest.
CREATE INDEX parcel_done ON parcel (done_at) WHERE done_at IS NOT NULL;
