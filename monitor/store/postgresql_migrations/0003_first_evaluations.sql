-- Since when each rule is evaluated, so that a report can tell a rule that had no reason to fire from one that is younger than its span.

CREATE TABLE first_evaluation (
    account TEXT COLLATE "C" NOT NULL,
    rule    TEXT COLLATE "C" NOT NULL,
    at      BIGINT NOT NULL,
    PRIMARY KEY (account, rule)
);

-- Of a store that is in use nobody knows that of the rules that there are: the rule without a name stands for them.
INSERT INTO first_evaluation (account, rule, at) SELECT DISTINCT account, '', 0 FROM cursor;
