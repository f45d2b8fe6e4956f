"""The SQL of the stores, as SQLite takes it; `monitor.store.postgresql_statements` says what PostgreSQL writes differently."""

from typing import Final

KEY: Final = "SELECT value FROM secret WHERE name = ?"
BLOB_KEYS: Final = "SELECT value FROM secret UNION ALL SELECT digest FROM ended_session"
TEXTS_OF_HISTORY: Final = (
    "SELECT fingerprint, rule, what, because FROM transition",
    "SELECT receiver, channel, key, group_key, episode, error, receipt FROM parcel",
    "SELECT account, search, why, record FROM aside",
    "SELECT fingerprint FROM notified",
    "SELECT name FROM secret",
)
"""The texts that are read while the daemon works, but for those behind a notification: to reach them, all of it would be read."""
END_SESSION: Final = "INSERT INTO ended_session (digest, began) VALUES (?, ?) ON CONFLICT DO NOTHING"
ENDED_SESSIONS: Final = "SELECT digest, began FROM ended_session ORDER BY began, digest"
FORGET_SESSIONS: Final = "DELETE FROM ended_session WHERE began <= ?"
FORGET_MORE_SESSIONS: Final = """
    DELETE FROM ended_session WHERE digest NOT IN (SELECT digest FROM ended_session ORDER BY began DESC, digest LIMIT ?)"""
NEW_KEY: Final = "INSERT INTO secret (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING"

JOURNAL: Final = "SELECT sequence, rows FROM journal WHERE account = ? AND sequence > ? ORDER BY sequence LIMIT ?"
JOURNAL_SIZE: Final = "SELECT coalesce(sum(length(rows)), 0) FROM journal WHERE account = ?"
APPEND: Final = "INSERT INTO journal (account, rows) VALUES (?, ?)"
CLEAN: Final = "DELETE FROM journal WHERE account = ? AND sequence = ?"
ENTRIES: Final = """
    SELECT field, code, value FROM entry WHERE account = ? AND (field, code) > (?, ?) ORDER BY field, code LIMIT ?"""
TEXTS: Final = """
    SELECT count(*), max(code), json_group_array(value) FROM (
        SELECT code, value FROM entry WHERE account = ? AND field = ? AND code > ? ORDER BY code LIMIT ?)"""
NEXT_FIELD: Final = "SELECT min(field) FROM entry WHERE account = ? AND field > ?"
ENTRY: Final = "INSERT OR REPLACE INTO entry (account, field, code, value) VALUES (?, ?, ?, ?)"
FOLLOWING_ENTRIES: Final = """
    INSERT OR REPLACE INTO entry (account, field, code, value) SELECT ?, ?, ? + key, value FROM json_each(?)"""
DROP_ENTRY: Final = "DELETE FROM entry WHERE account = ? AND field = ? AND code = ?"
CURSORS: Final = "SELECT data, account, search FROM cursor ORDER BY account, search"
CURSOR: Final = "INSERT OR REPLACE INTO cursor (account, search, data) VALUES (?, ?, ?)"

ALERTS: Final = "SELECT data, fingerprint FROM alert ORDER BY rowid"
ALERT: Final = """
    INSERT INTO alert (fingerprint, resolved_at, data) VALUES (?, ?, ?)
    ON CONFLICT (fingerprint) DO UPDATE SET resolved_at = excluded.resolved_at, data = excluded.data"""
ALERT_OF: Final = "SELECT data, fingerprint FROM alert WHERE fingerprint = ?"
DROP_ALERT: Final = "DELETE FROM alert WHERE fingerprint = ?"
TRANSITIONS: Final = (
    "SELECT fingerprint, rule, at, what, because, value, about FROM transition ORDER BY id DESC LIMIT ?"
)
TRANSITIONS_OF: Final = """
    SELECT fingerprint, rule, at, what, because, value, about FROM transition
    WHERE fingerprint = ? ORDER BY id DESC LIMIT ?"""
LOST_ALERTS: Final = """
    SELECT fingerprint, rule, at, what, because, value, about FROM transition WHERE id IN (
        SELECT (SELECT max(id) FROM transition AS own
            WHERE own.fingerprint = latest.fingerprint AND own.what NOT IN ('acknowledged', 'unacknowledged'))
        FROM transition AS latest WHERE id IN (SELECT max(id) FROM transition GROUP BY fingerprint)
        AND what NOT IN ('resolved', 'dropped') AND NOT EXISTS (SELECT 1 FROM alert WHERE alert.fingerprint = latest.fingerprint))
    AND what NOT IN ('resolved', 'dropped') ORDER BY id LIMIT ?"""
"""The inner conditions are for speed: the latest of each alert is found in an index."""
INCIDENT_OF_TRANSITION: Final = (
    "json_extract(iif(json_valid(CAST(about AS TEXT)), CAST(about AS TEXT), '{}'), '$.incident')"
)
INCIDENT_OF_NOTIFICATION: Final = "json_extract(CAST(notification AS TEXT), '$.incident')"
JSON_TEXT_OF_KEY: Final = "json_quote(max(newer.key))"
EVER_QUARANTINED: Final = "SELECT 'quarantined', coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'aside'"
BEGUN_IN: Final = f"""
    SELECT fingerprint, rule, at, what, because, value, about FROM transition
    WHERE what = 'fired' AND {INCIDENT_OF_TRANSITION} = ? ORDER BY id DESC LIMIT ?"""  # noqa: S608 - a constant of ours, as below
INCIDENTS: Final = f"""
    SELECT {INCIDENT_OF_TRANSITION} AS incident, min(at), max(at), count(DISTINCT fingerprint) FROM transition
    WHERE what = 'fired' AND {INCIDENT_OF_TRANSITION} > '' GROUP BY incident ORDER BY min(at) DESC, incident LIMIT ? OFFSET ?"""  # noqa: S608 - as above
INCIDENT: Final = f"""
    SELECT {INCIDENT_OF_TRANSITION} AS incident, min(at), max(at), count(DISTINCT fingerprint) FROM transition
    WHERE what = 'fired' AND {INCIDENT_OF_TRANSITION} = ? GROUP BY incident"""  # noqa: S608 - as above
INCIDENT_COUNT: Final = f"""
    SELECT count(DISTINCT {INCIDENT_OF_TRANSITION}) FROM transition WHERE what = 'fired' AND {INCIDENT_OF_TRANSITION} > ''"""  # noqa: S608 - as above
TRANSITION: Final = (
    "INSERT INTO transition (fingerprint, rule, at, what, because, value, about) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
GROUPS: Final = "SELECT data, key, receiver, account FROM alert_group ORDER BY rowid"
GROUPS_OF: Final = "SELECT data, key, receiver, account FROM alert_group WHERE key = ? ORDER BY rowid"
GROUP: Final = """
    INSERT INTO alert_group (key, receiver, account, episode, data) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (key, receiver, account) DO UPDATE SET episode = excluded.episode, data = excluded.data"""
DROP_GROUP: Final = "DELETE FROM alert_group WHERE key = ? AND receiver = ? AND account = ?"

SILENCES: Final = "SELECT id, data FROM silence ORDER BY rowid"
SILENCE: Final = """
    INSERT INTO silence (id, data) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET data = excluded.data"""
DROP_SILENCE: Final = "DELETE FROM silence WHERE id = ?"
ACKS: Final = "SELECT data, fingerprint FROM acknowledgement ORDER BY rowid"
ACK_OF: Final = "SELECT data, fingerprint FROM acknowledgement WHERE fingerprint = ?"
ACK: Final = """
    INSERT INTO acknowledgement (fingerprint, data) VALUES (?, ?)
    ON CONFLICT (fingerprint) DO UPDATE SET data = excluded.data"""
DROP_ACK: Final = "DELETE FROM acknowledgement WHERE fingerprint = ?"
BEGUN: Final = """
    SELECT fingerprint, at FROM transition
    WHERE what = 'fired' AND at > (SELECT max(at) FROM transition) - ? ORDER BY id"""

ACCOUNT_STATES: Final = "SELECT account, data FROM fact"
ACCOUNT_STATE: Final = "INSERT OR REPLACE INTO fact (account, data) VALUES (?, ?)"

RULE_STATES: Final = "SELECT account, rule, data FROM rule_state"
OTHER_OWNERS: Final = "SELECT account FROM rule_state UNION SELECT account FROM parcel WHERE state = 'waiting'"
RULE_STATES_OF: Final = "SELECT account, rule, data FROM rule_state WHERE account = ?"
RULE_STATE: Final = "INSERT OR REPLACE INTO rule_state (account, rule, data) VALUES (?, ?, ?)"
DROP_RULE_STATE: Final = "DELETE FROM rule_state WHERE account = ? AND rule = ?"

FIRST_EVALUATIONS: Final = "SELECT account, rule, at FROM first_evaluation"
FIRST_EVALUATION: Final = """
    INSERT INTO first_evaluation (account, rule, at) VALUES (?, ?, ?)
    ON CONFLICT (account, rule) DO UPDATE SET at = excluded.at"""
DROP_FIRST_EVALUATION: Final = "DELETE FROM first_evaluation WHERE account = ? AND rule = ?"

FORGET_WINDOW: Final = (
    "DELETE FROM journal WHERE account = ?",
    "DELETE FROM entry WHERE account = ?",
    "DELETE FROM cursor WHERE account = ?",
)

QUARANTINED: Final = """
    SELECT account, search, at, why, record, seen, coalesce(first_at, at) FROM aside ORDER BY at DESC, id DESC LIMIT ?"""
QUARANTINE_AGAIN: Final = """
    UPDATE aside SET first_at = coalesce(first_at, at), at = max(at, ?), why = ?, seen = seen + ?
    WHERE account = ? AND search = ? AND record = ?"""
QUARANTINE: Final = "INSERT INTO aside (at, why, seen, account, search, record, first_at) VALUES (?, ?, ?, ?, ?, ?, ?)"
DROP_OLD_QUARANTINED: Final = (
    "DELETE FROM aside WHERE id NOT IN (SELECT id FROM aside ORDER BY at DESC, id DESC LIMIT ?)"
)

ENQUEUE: Final = """
    INSERT INTO parcel (receiver, channel, key, group_key, episode, created_at, notification, account)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (receiver, channel, key) DO NOTHING"""
OUTBOX_ROWS: Final = """
    SELECT id, channel, notification, state, attempts, next_at, error, receipt, done_at, account FROM parcel
    ORDER BY id DESC LIMIT ?"""
OUTBOX_ROWS_IN: Final = """
    SELECT id, channel, notification, state, attempts, next_at, error, receipt, done_at, account FROM parcel
    WHERE state = ? ORDER BY id DESC LIMIT ?"""
WAITING: Final = """
    SELECT id, channel, notification, state, attempts, next_at, error, receipt, done_at, account FROM parcel
    WHERE receiver = ? AND channel = ? AND state = 'waiting' ORDER BY id LIMIT ?"""
HEADS: Final = """
    SELECT id, channel, notification, state, attempts, next_at, error, receipt, done_at, account FROM parcel
    WHERE id IN (
        SELECT min(id) FROM parcel WHERE receiver = ? AND channel = ? AND state = 'waiting' GROUP BY group_key)
    ORDER BY next_at, id LIMIT ?"""
EARLIER: Final = """
    SELECT head.id, head.channel, head.notification, head.state, head.attempts, head.next_at, head.error, head.receipt, head.done_at, head.account
    FROM (
        SELECT min(parcel.id) AS id
        FROM json_each(?) AS own CROSS JOIN notified ON notified.fingerprint = own.value AND notified.parcel < ?
        CROSS JOIN parcel ON parcel.id = notified.parcel
        WHERE receiver = ? AND channel = ? AND state = 'waiting' AND account = ? AND group_key <> ?
    ) AS found CROSS JOIN parcel AS older ON older.id = found.id CROSS JOIN parcel AS head ON head.receiver = older.receiver
        AND head.channel = older.channel AND head.state = 'waiting' AND head.group_key = older.group_key
    WHERE head.account = older.account ORDER BY head.id LIMIT 1"""
"""As CROSS JOIN, which SQLite takes in the order in which it is written."""
SUCCESSOR: Final = """
    SELECT newer.key FROM parcel JOIN parcel AS newer USING (receiver, channel, episode)
    WHERE parcel.id = ? AND newer.state = 'waiting' AND newer.id > parcel.id ORDER BY newer.id LIMIT 1"""
SENT: Final = """
    UPDATE parcel SET state = 'sent', error = '', receipt = ?, done_at = ? WHERE id = ? AND state = 'waiting'"""
POSTPONED: Final = """
    UPDATE parcel SET attempts = attempts + 1, error = ?, next_at = ? WHERE id = ? AND state = 'waiting'"""
REJECTED: Final = "UPDATE parcel SET state = 'dead', error = ?, done_at = ? WHERE id = ? AND state = 'waiting'"
RECEIPT: Final = """
    SELECT receipt FROM parcel
    WHERE receiver = ? AND channel = ? AND state = 'sent' AND episode = ? AND receipt NOT LIKE ?
    ORDER BY id DESC LIMIT 1"""
HISTORY: Final = """
    SELECT id, created_at, receiver, channel, state, attempts, error, receipt, done_at, notification FROM parcel
    WHERE {} ORDER BY id DESC LIMIT ? OFFSET ?"""
HISTORY_COUNT: Final = "SELECT count(*) FROM parcel WHERE {}"
CONDITIONS: Final = {
    "since": "created_at >= ?",
    "until": "created_at <= ?",
    "receiver": "receiver = ?",
    "channel": "channel = ?",
    "fingerprint": "id IN (SELECT parcel FROM notified WHERE fingerprint = ?)",
    "incident": f"""id IN (SELECT parcel FROM notified WHERE fingerprint IN (
        SELECT fingerprint FROM transition WHERE what = 'fired' AND {INCIDENT_OF_TRANSITION} = ?))
        AND {INCIDENT_OF_NOTIFICATION} = ?""",  # noqa: S608 - as above
    "rule": "id IN (SELECT parcel FROM notified WHERE fingerprint IN (SELECT fingerprint FROM transition WHERE rule = ?))",
}
"""The conditions on notifications, by the fields of `monitor.store.protocol.NotificationFilter`, whose value stands for each ``?``. The outcome
has its own. Only notifications of the incident's alerts are read for ``incident``: reading all takes seconds."""
OUTCOMES: Final = {
    "waiting": "state = 'waiting'",
    "dead": "state = 'dead'",
    "sent": "state = 'sent' AND receipt NOT LIKE ?",
    "superseded": "state = 'sent' AND receipt LIKE ?",
}
"""The last two take the beginning of a receipt of a superseded row."""
VIEW_OF: Final = """
    SELECT notification FROM parcel WHERE id = (SELECT max(parcel) FROM notified WHERE fingerprint = ?)"""
HEAD_VIEW: Final = f"""
    SELECT notification FROM parcel WHERE id IN (SELECT parcel FROM notified WHERE fingerprint = ?)
    AND {INCIDENT_OF_NOTIFICATION} = ? ORDER BY id DESC LIMIT 1"""  # noqa: S608 - as above
LAST_SENT: Final = """
    SELECT done_at FROM parcel WHERE receiver = ? AND channel = ? AND state = 'sent' AND receipt NOT LIKE ?
    ORDER BY done_at DESC LIMIT 1"""
DEAD: Final = "SELECT receiver, channel, count(*) FROM parcel WHERE state = 'dead' GROUP BY receiver, channel"
CHANNELS: Final = "SELECT DISTINCT receiver, channel FROM parcel"
RETRY_DEAD: Final = """
    UPDATE parcel SET state = 'waiting', attempts = 0, next_at = 0, done_at = NULL
    WHERE id IN (SELECT id FROM parcel WHERE {} ORDER BY id LIMIT ?)"""
UNREADABLE: Final = "it cannot be read: "
"""How the error begins of a notification that was given up because it could not be read."""
GIVEN_UP: Final = f"SELECT id, notification FROM parcel WHERE {{}} AND error LIKE '{UNREADABLE}%' ORDER BY id LIMIT ?"  # noqa: S608 - as above
SUPERSEDE_DEAD: Final = f"""
    UPDATE parcel SET state = 'sent', receipt = ? || (
        SELECT {JSON_TEXT_OF_KEY} FROM parcel AS newer WHERE newer.receiver = parcel.receiver AND newer.channel = parcel.channel
        AND newer.episode = parcel.episode AND newer.state <> 'dead' AND newer.id > parcel.id) || '}}}}'
    WHERE id IN (SELECT id FROM parcel WHERE {{}} ORDER BY id LIMIT ?) AND EXISTS (
        SELECT 1 FROM parcel AS newer WHERE newer.receiver = parcel.receiver AND newer.channel = parcel.channel
        AND newer.episode = parcel.episode AND newer.state <> 'dead' AND newer.id > parcel.id)"""  # noqa: S608 - as above
BACKLOG: Final = """
    SELECT receiver, channel, count(*), min(created_at) FROM parcel WHERE state = 'waiting' GROUP BY receiver, channel"""

COUNTS: Final = f"""
    SELECT 'journal', count(*) FROM journal UNION ALL SELECT 'entries', count(*) FROM entry
    UNION ALL SELECT 'alerts', count(*) FROM alert UNION ALL SELECT 'groups', count(*) FROM alert_group
    UNION ALL SELECT 'transitions', count(*) FROM transition
    UNION ALL {EVER_QUARANTINED}
    UNION ALL SELECT state, count(*) FROM parcel GROUP BY state"""  # noqa: S608 - as above

LAST_NUMBER: Final = "SELECT seq FROM sqlite_sequence WHERE name = ?"
SET_LAST_NUMBER: Final = "UPDATE sqlite_sequence SET seq = ? WHERE name = ?"
NEW_LAST_NUMBER: Final = "INSERT INTO sqlite_sequence (seq, name) VALUES (?, ?)"

PRUNE_OLD: Final = (
    "DELETE FROM aside WHERE id IN (SELECT id FROM aside WHERE at < ? LIMIT ?)",
    """
    DELETE FROM alert WHERE fingerprint IN (
        SELECT fingerprint FROM alert WHERE resolved_at < ? AND fingerprint NOT IN (
            SELECT told.key FROM alert_group, json_each(CAST(alert_group.data AS TEXT), '$.told') AS told)
        LIMIT ?)""",
)
PRUNE_TRANSITIONS: Final = "DELETE FROM transition WHERE id IN (SELECT id FROM transition WHERE at < ? LIMIT ?)"
PRUNE_OUTBOX: Final = """
    DELETE FROM parcel WHERE id IN (
        SELECT id FROM parcel AS old WHERE done_at < ? AND state <> 'waiting' AND NOT (
            state = 'sent' AND receipt NOT LIKE ? AND (
                EXISTS (SELECT 1 FROM alert_group AS living WHERE living.episode = old.episode)
                OR EXISTS (
                    SELECT 1 FROM parcel AS next WHERE next.receiver = old.receiver AND next.channel = old.channel
                    AND next.state = 'waiting' AND next.episode = old.episode))
            AND NOT EXISTS (
                SELECT 1 FROM parcel AS later WHERE later.receiver = old.receiver AND later.channel = old.channel
                AND later.state = 'sent' AND later.episode = old.episode AND later.id > old.id
                AND later.receipt NOT LIKE ?))
        LIMIT ?)"""
