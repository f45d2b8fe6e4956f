-- What rules keep from one evaluation to the next, because the messages alone do not have it.

CREATE TABLE rule_state (
    account TEXT NOT NULL,
    rule    TEXT NOT NULL,
    data    BLOB NOT NULL,
    PRIMARY KEY (account, rule)
);
