"""The SQL of the PostgreSQL store: that of `monitor.store.statements`, but for what the two databases write differently."""

from functools import lru_cache
from typing import Final

from monitor.runtime.dataclass import dataclass
from monitor.store import statements
from monitor.store.postgresql_columns import names, since

JOURNAL: Final = """
    SELECT sequence, rows FROM (
        SELECT sequence, rows, sum(octet_length(rows)) OVER (ORDER BY sequence) - octet_length(rows) AS before
        FROM (SELECT sequence, rows FROM journal WHERE account = ? AND sequence > ? ORDER BY sequence LIMIT ?) AS page) AS sized
    WHERE before < ? ORDER BY sequence"""
JOURNAL_SIZES: Final = (
    "SELECT account, CAST(sum(octet_length(rows)) AS BIGINT) FROM journal WHERE account = ANY(?) GROUP BY account"
)
ENQUEUE: Final = """
    WITH added AS (
        INSERT INTO parcel (receiver, channel, key, group_key, episode, created_at, notification, account, incident)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (receiver, channel, key) DO NOTHING RETURNING id)
    INSERT INTO notified (fingerprint, parcel) SELECT DISTINCT fingerprint, id FROM added, unnest(CAST(? AS TEXT[])) AS fingerprint"""
_SAME_GROUP: Final = "md5(key) = md5(?) AND key = ? AND receiver = ? AND account = ?"
GROUP_AGAIN: Final = f"UPDATE alert_group SET episode = ?, data = ?, told = ? WHERE {_SAME_GROUP}"  # noqa: S608 - a constant
NEW_GROUP: Final = f"""
    INSERT INTO alert_group (key, receiver, account, episode, data, told) SELECT ?, ?, ?, ?, ?, CAST(? AS TEXT[])
    WHERE NOT EXISTS (SELECT 1 FROM alert_group WHERE {_SAME_GROUP})"""  # noqa: S608 - the same
DROP_GROUP: Final = f"DELETE FROM alert_group WHERE {_SAME_GROUP}"  # noqa: S608 - the same
ALERT: Final = """
    INSERT INTO alert (fingerprint, resolved_at, data, account) VALUES (?, ?, ?, ?)
    ON CONFLICT (fingerprint) DO UPDATE SET resolved_at = excluded.resolved_at, data = excluded.data, account = excluded.account"""
_IS_LEFT: Final = "(resolved_at IS NULL OR fingerprint IN (SELECT unnest(told) FROM alert_group))"
OWNERS: Final = f"""
    SELECT account FROM alert WHERE {_IS_LEFT} UNION SELECT account FROM rule_state
    UNION SELECT account FROM parcel WHERE state = 'waiting' ORDER BY account"""  # noqa: S608 - a constant, as below
ALERTS: Final = "SELECT data, account, fingerprint FROM alert ORDER BY rowid"
ALERTS_LEFT_OF_UNKNOWN: Final = f"SELECT data FROM alert WHERE account = '' AND {_IS_LEFT} ORDER BY rowid"  # noqa: S608 - a constant
DROP_ALERT_OF_UNKNOWN: Final = "DELETE FROM alert WHERE fingerprint = ? AND account = ''"
_OF: Final = "account = ANY(CAST(? AS TEXT[]))"
OF_ACCOUNTS: Final = {
    statements.CURSORS: f"SELECT data, account, search FROM cursor WHERE {_OF} OR account = '' ORDER BY account, search",  # noqa: S608 - a constant, as below
    statements.ALERTS: f"SELECT data, account, fingerprint FROM alert WHERE {_OF} OR account = '' ORDER BY rowid",  # noqa: S608 - a constant
    statements.GROUPS: f"SELECT data, key, receiver, account FROM alert_group WHERE {_OF} ORDER BY rowid",  # noqa: S608 - a constant
    statements.ACKS: f"""
        SELECT data, fingerprint FROM acknowledgement
        WHERE fingerprint IN (SELECT fingerprint FROM alert WHERE {_OF} OR account = '') ORDER BY rowid""",  # noqa: S608 - a constant
    statements.ACCOUNT_STATES: f"SELECT account, data FROM fact WHERE {_OF}",  # noqa: S608 - a constant
    statements.FIRST_EVALUATIONS: f"SELECT account, rule, at FROM first_evaluation WHERE {_OF}",  # noqa: S608 - a constant
}
"""Queries for all rows, and those for the rows of some accounts, so that a row of another account that cannot be read hinders nobody."""
TRANSITION: Final = """
    INSERT INTO transition (fingerprint, rule, at, what, because, value, about, incident) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
NOTIFIED: Final = """
    INSERT INTO notified (parcel, fingerprint) SELECT DISTINCT CAST(? AS BIGINT), fingerprint FROM unnest(CAST(? AS TEXT[])) AS fingerprint"""
_COLUMNS: Final = "id, channel, notification, state, attempts, next_at, error, receipt, done_at, account"
_HELD: Final = "(CAST(? AS TEXT[]) IS NULL OR {}account = ANY(CAST(? AS TEXT[])))"
"""The condition on notifications that a daemon sends: those of the accounts that are given twice; NULL stands for all."""
WAITING: Final = f"""
    SELECT {_COLUMNS} FROM parcel WHERE receiver = ? AND channel = ? AND state = 'waiting' AND {_HELD.format("")}
    ORDER BY id LIMIT ?"""  # noqa: S608 - constants of ours, as below
HEADS: Final = f"""
    SELECT {_COLUMNS} FROM parcel WHERE id IN (
        SELECT min(id) FROM parcel WHERE receiver = ? AND channel = ? AND state = 'waiting' AND {_HELD.format("")}
        GROUP BY account, group_key)
    ORDER BY next_at, id LIMIT ?"""  # noqa: S608 - as above
EARLIER: Final = f"""
    WITH named AS MATERIALIZED (
        SELECT parcel FROM notified WHERE fingerprint = ANY(CAST(? AS TEXT[])) AND parcel < ?
    ), older AS MATERIALIZED (
        SELECT receiver, channel, account, group_key FROM named JOIN LATERAL (
            SELECT * FROM parcel WHERE parcel.id = named.parcel OFFSET 0) AS one ON TRUE
        WHERE receiver = ? AND channel = ? AND state = 'waiting' AND account = ? AND group_key <> ? AND {_HELD.format("")}
        ORDER BY id LIMIT 1
    )
    SELECT head.id, head.channel, notification, state, attempts, next_at, error, receipt, done_at, head.account FROM older JOIN LATERAL (
        SELECT * FROM parcel WHERE parcel.receiver = older.receiver AND parcel.channel = older.channel AND parcel.state = 'waiting'
        AND parcel.account = older.account AND parcel.group_key = older.group_key ORDER BY parcel.id + 0 LIMIT 1) AS head ON TRUE"""  # noqa: S608 - as above
"""In an order that the planner does not change, whatever it knows of the tables: what names the alerts is looked up first."""
SUCCESSOR: Final = f"""
    SELECT newer.key FROM parcel JOIN parcel AS newer USING (receiver, channel, episode)
    WHERE parcel.id = ? AND newer.state = 'waiting' AND newer.id > parcel.id AND {_HELD.format("newer.")}
    ORDER BY newer.id LIMIT 1"""  # noqa: S608 - as above
BACKLOG: Final = f"""
    SELECT receiver, channel, count(*), min(created_at) FROM parcel WHERE state = 'waiting' AND {_HELD.format("")}
    GROUP BY receiver, channel"""  # noqa: S608 - as above
ACCOUNT_OF: Final = "SELECT account FROM parcel WHERE id = ?"

SUPPRESSIONS: Final = "SELECT suppressions FROM store_state"
_LAST_REVISION: Final = (1 << 63) - 1
EDITED: Final = f"UPDATE store_state SET suppressions = suppressions % {_LAST_REVISION} + 1"  # noqa: S608 - a constant
EDITED_AS_READ: Final = f"{EDITED} WHERE suppressions = ?"
FORWARD: Final = "INSERT INTO forwarded_callback (account, received_at, body) VALUES (?, ?, ?)"
FORWARDED: Final = """
    SELECT id, account, received_at, body FROM (
        SELECT *, sum(octet_length(body)) OVER (ORDER BY id) - octet_length(body) AS before
        FROM (
            SELECT * FROM forwarded_callback WHERE account = ANY(CAST(? AS TEXT[])) AND id <> ALL(CAST(? AS BIGINT[])) ORDER BY id LIMIT ?
        ) AS page) AS sized
    WHERE before < ? ORDER BY id"""
COUNT_FORWARDED: Final = "SELECT count(*) FROM forwarded_callback"
DROP_FORWARDED: Final = "DELETE FROM forwarded_callback WHERE id = ANY(CAST(? AS BIGINT[]))"
PRUNE_FORWARDED: Final = (
    "DELETE FROM forwarded_callback WHERE id IN (SELECT id FROM forwarded_callback WHERE received_at < ? LIMIT ?)"
)

ANNOUNCE: Final = """
    INSERT INTO rule_set (worker, host, seen_at, accounts, digests) VALUES (?, ?, clock_timestamp(), ?, ?)
    ON CONFLICT (worker) DO UPDATE SET seen_at = excluded.seen_at, accounts = excluded.accounts, digests = excluded.digests"""
REPLACED: Final = """
    WITH replaced AS (
    DELETE FROM rule_set USING worker AS own
    WHERE own.id = ? AND rule_set.host = ANY(CAST(? AS TEXT[])) AND rule_set.worker < own.id AND seen_at < own.since
    AND NOT EXISTS (SELECT 1 FROM worker AS old WHERE old.id = rule_set.worker
        AND (old.expires_at > clock_timestamp() OR old.expires_at >= own.since + ? * INTERVAL '1 millisecond'))
    AND NOT (rule_set.worker = ANY(CAST(? AS INTEGER[]))
        AND NOT EXISTS (SELECT 1 FROM worker AS gone WHERE gone.id = rule_set.worker))
    RETURNING rule_set.worker, rule_set.host)
    DELETE FROM worker USING replaced WHERE worker.id = replaced.worker AND replaced.host = ?"""
"""What a daemon on the same host and port, or on the same host and a port that is not known, has left that was not heard of since this one
started: this one is in its place. One of those that lived then and whose row is gone has left in good order since. Of one that was killed on the
same host and port nothing is left."""
ANNOUNCED_LONG_AGO: Final = "DELETE FROM rule_set WHERE seen_at < clock_timestamp() - ? * INTERVAL '1 second'"
ANNOUNCED_BY_OTHERS: Final = f"""
    SELECT coalesce(name, rule_set.host), coalesce(expires_at > clock_timestamp(), FALSE),
        {since("seen_at")}, {names("accounts")}, {names("digests")}
    FROM rule_set LEFT JOIN worker ON worker.id = rule_set.worker WHERE rule_set.worker <> ? ORDER BY rule_set.worker"""  # noqa: S608 - constants of ours
ONE_ASSIGNS: Final = "SELECT pg_advisory_xact_lock(1380798286, 0)"
"""The lock of who says whose groups and notifications are."""
GROUPS_OF_NOBODY: Final = "SELECT data, key, receiver, account FROM alert_group WHERE account = '' ORDER BY rowid"
PARCELS_OF_NOBODY: Final = """
    SELECT id, receiver, group_key, notification FROM parcel WHERE account = '' AND state <> 'sent' ORDER BY id"""
ASSIGN_PARCEL: Final = "UPDATE parcel SET account = ?, group_key = ? WHERE id = ?"
SET_EVER_QUARANTINED: Final = "UPDATE store_state SET quarantined = ?"
SEQUENCES: Final = {"journal": "journal_sequence_seq", "transition": "transition_id_seq", "parcel": "parcel_id_seq"}
"""PostgreSQL's names of what numbers the rows of these tables."""


@dataclass(frozen=True, slots=True)
class AddedColumn:
    """A column that SQLite does not have: its name, and the column with the JSON in which its value stands."""

    name: str
    of: str


ADDED: Final = {
    "transition": AddedColumn("incident", "about"),
    "alert": AddedColumn("account", "data"),
    "alert_group": AddedColumn("told", "data"),
    "parcel": AddedColumn("incident", "notification"),
}
APPEND: Final = statements.APPEND + " RETURNING sequence"
_AGAIN: Final = """
        UPDATE aside SET first_at = coalesce(first_at, at), at = greatest(at, ?), why = ?, seen = seen + ?
        WHERE account = ? AND search = ? AND md5(record) = md5(?)"""
QUARANTINE: Final = f"""
    WITH again AS ({_AGAIN} RETURNING 1)
    INSERT INTO aside (at, why, seen, account, search, record, first_at)
    SELECT ?, ?, ?, ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM again)"""  # noqa: S608 - a constant
"""What is set aside, once more or for the first time."""

_OWN: Final = {
    statements.ENTRY: """
        INSERT INTO entry (account, field, code, value) VALUES (?, ?, ?, ?)
        ON CONFLICT (account, field, code) DO UPDATE SET value = excluded.value""",
    statements.CURSOR: """
        INSERT INTO cursor (account, search, data) VALUES (?, ?, ?)
        ON CONFLICT (account, search) DO UPDATE SET data = excluded.data""",
    statements.ACCOUNT_STATE: """
        INSERT INTO fact (account, data) VALUES (?, ?) ON CONFLICT (account) DO UPDATE SET data = excluded.data""",
    statements.RULE_STATE: """
        INSERT INTO rule_state (account, rule, data) VALUES (?, ?, ?)
        ON CONFLICT (account, rule) DO UPDATE SET data = excluded.data""",
    statements.QUARANTINE_AGAIN: _AGAIN,
    statements.PRUNE_OLD[1]: """
        DELETE FROM alert WHERE fingerprint IN (
            SELECT fingerprint FROM alert WHERE resolved_at < ? AND fingerprint NOT IN (
                SELECT unnest(told) FROM alert_group)
            LIMIT ?)""",
}
_FRAGMENTS: Final = (
    (statements.INCIDENT_OF_TRANSITION, "incident"),
    (statements.INCIDENT_OF_NOTIFICATION, "incident"),
    (statements.JSON_TEXT_OF_KEY, "to_json(max(newer.key))"),
    (statements.EVER_QUARANTINED, "SELECT 'quarantined', quarantined FROM store_state"),
)


@lru_cache(maxsize=256)
def translated(statement: str) -> str:
    """Returns a statement of `monitor.store.statements`, also one with conditions filled in, as PostgreSQL and its driver take it."""
    own = _OWN.get(statement, statement)
    for ours, theirs in _FRAGMENTS:
        own = own.replace(ours, theirs)
    return own.replace("%", "%%").replace("?", "%s")
