-- Whose a group and a notification are, where several daemons share the accounts of a store. Here it is empty, but in a copy of such a store.

-- Not renamed at the end, since that would change the text by which a damaged file is known to be ours.
CREATE TABLE older_group AS SELECT rowid AS place, key, receiver, episode, data FROM alert_group;
DROP TABLE alert_group;
CREATE TABLE alert_group (
    key      TEXT NOT NULL,
    receiver TEXT NOT NULL,
    account  TEXT NOT NULL DEFAULT '',
    episode  TEXT NOT NULL,
    data     BLOB NOT NULL,
    PRIMARY KEY (key, receiver, account)
);
INSERT INTO alert_group (key, receiver, episode, data) SELECT key, receiver, episode, data FROM older_group ORDER BY place;
DROP TABLE older_group;

ALTER TABLE parcel ADD COLUMN account TEXT NOT NULL DEFAULT '';
