-- Which notifications an alert is in, and what happened to one alert or one incident: for the pages of past alerts.

CREATE TABLE notified (
    fingerprint TEXT NOT NULL,
    parcel      INTEGER NOT NULL,
    PRIMARY KEY (fingerprint, parcel)
) WITHOUT ROWID;

-- As triggers, so that no way of writing or deleting a notification can leave this out.
CREATE TRIGGER parcel_notified AFTER INSERT ON parcel BEGIN
    INSERT OR IGNORE INTO notified (fingerprint, parcel)
    SELECT DISTINCT coalesce(json_extract(alert.value, '$.fingerprint'), ''), new.id
    FROM json_each(iif(json_valid(CAST(new.notification AS TEXT)), CAST(new.notification AS TEXT), '{}'), '$.alerts') AS alert;
END;

CREATE TRIGGER parcel_forgotten AFTER DELETE ON parcel BEGIN
    DELETE FROM notified WHERE parcel = old.id AND fingerprint IN (
        SELECT coalesce(json_extract(alert.value, '$.fingerprint'), '')
        FROM json_each(iif(json_valid(CAST(old.notification AS TEXT)), CAST(old.notification AS TEXT), '{}'), '$.alerts') AS alert);
END;

INSERT OR IGNORE INTO notified (fingerprint, parcel)
SELECT coalesce(json_extract(alert.value, '$.fingerprint'), ''), parcel.id
FROM parcel, json_each(iif(json_valid(CAST(parcel.notification AS TEXT)), CAST(parcel.notification AS TEXT), '{}'), '$.alerts') AS alert;

CREATE INDEX parcel_last ON parcel (receiver, channel, state, done_at);
CREATE INDEX transition_fingerprint ON transition (fingerprint);
CREATE INDEX transition_incident
ON transition (json_extract(iif(json_valid(CAST(about AS TEXT)), CAST(about AS TEXT), '{}'), '$.incident')) WHERE what = 'fired';
