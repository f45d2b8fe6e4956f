-- Sessions of browsers that a logout has ended before their time: the SHA-256 of each, and when it began.

CREATE TABLE ended_session (
    digest BLOB PRIMARY KEY,
    began  INTEGER NOT NULL
) WITHOUT ROWID;
