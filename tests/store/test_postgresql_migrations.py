"""A PostgreSQL store of the first version: brought up to date with what is in it, and used by that version's statements meanwhile and after."""

from collections.abc import Iterator
from contextlib import closing

import msgspec
import pytest

from monitor.model.notification import encode
from monitor.runtime.clock import SECOND
from monitor.runtime.errors import StoreError
from monitor.runtime.postgresql_address import PostgresqlAddress
from monitor.store.migrate import migrations
from monitor.store.postgresql import open_postgresql, open_worker
from monitor.store.postgresql_connection import SCHEMA, BoundedConnection, PostgresqlLimits, connect
from monitor.store.postgresql_migrate import FOLDER, step_of
from tests.fakes.postgresql import PostgresqlServer
from tests.store.store_samples import NOW, alert, group, keys, notification

LOCK_OF_THE_FIRST_VERSION = "SELECT pg_advisory_lock(1380798286, 1)"
GROUP = """
    INSERT INTO alert_group (key, receiver, episode, data, told) SELECT %s, %s, %s, %s, CAST(%s AS TEXT[])
    WHERE NOT EXISTS (SELECT 1 FROM alert_group WHERE md5(key) = md5(%s) AND key = %s AND receiver = %s)"""
PARCEL = """
    WITH added AS (
        INSERT INTO parcel (receiver, channel, key, group_key, episode, created_at, notification, incident)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (receiver, channel, key) DO NOTHING RETURNING id)
    INSERT INTO notified (fingerprint, parcel) SELECT DISTINCT fingerprint, id FROM added, unnest(CAST(%s AS TEXT[])) AS fingerprint"""
MARK = "UPDATE store_state SET last_commit = %s"


def write_as_the_first_version(connection: BoundedConnection, number: int) -> None:
    """What its daemon wrote in a commit."""
    told, episode = alert(operator=str(number)), f"e{number}"
    one = group(f"g{number}", episode=episode)
    made = notification(f"k{number}", episode)
    fields = {name: getattr(one, name) for name in one.__struct_fields__ if name != "account"}
    data = msgspec.json.encode(fields | {"told": {told.fingerprint: "critical"}})
    with connection.transaction():
        connection.execute(
            "INSERT INTO alert (fingerprint, resolved_at, data) VALUES (%s, %s, %s)",
            (told.fingerprint, None, msgspec.json.encode(told)),
        )
        connection.execute(GROUP, (one.key, "ops", episode, data, [told.fingerprint], one.key, one.key, "ops"))
        values = ("ops", "slack/0", made.key, made.group_key, episode, NOW, encode(made), "", [told.fingerprint])
        connection.execute(PARCEL, values)
        connection.execute(MARK, (str(number),))


@pytest.fixture
def first_version(postgresql: PostgresqlAddress) -> Iterator[BoundedConnection]:
    """A connection as that version's daemon had it, to a store that it made."""
    with closing(connect(postgresql, PostgresqlLimits())) as connection:
        connection.execute(LOCK_OF_THE_FIRST_VERSION)
        connection.execute(f"CREATE SCHEMA {SCHEMA}".encode())
        connection.execute("CREATE TABLE applied_step (number INTEGER PRIMARY KEY, version TEXT NOT NULL)")
        connection.execute(migrations(FOLDER)[0].sql.encode())
        connection.execute("INSERT INTO applied_step VALUES (1, '0.1')")
        write_as_the_first_version(connection, 1)
        yield connection


def test_a_store_of_the_first_version_is_brought_up_to_date_with_what_is_in_it(
    postgresql: PostgresqlAddress, first_version: BoundedConnection
) -> None:
    first_version.close()
    with closing(open_worker(postgresql)) as store:
        store.hold({})
        assert keys(store.heads("ops", "slack/0", 9)) == []
        store.assign_accounts(["first", "main"])
        loaded = store.load(["main"])
        assert loaded.alerts == [alert(operator="1")]
        assert [(one.key, one.account, one.episode) for one in loaded.groups] == [("g1", "main", "e1")]
        assert store.load(["first"]).groups == []
        [row] = store.outbox_rows("waiting")
        assert (row.notification.key, row.account) == ("k1", "first"), "its alert is not known to the store"


def test_a_daemon_of_the_first_version_keeps_others_out_and_its_tables_as_they_are(
    postgresql: PostgresqlAddress, first_version: BoundedConnection
) -> None:
    with pytest.raises(StoreError, match="another daemon"):
        open_worker(postgresql)
    assert step_of(first_version) == 1


def test_a_process_of_the_first_version_goes_on_with_the_tables_of_the_next(
    postgresql: PostgresqlAddress, first_version: BoundedConnection
) -> None:
    with closing(open_postgresql(postgresql)) as store:
        assert step_of(first_version) == len(migrations(FOLDER))
        write_as_the_first_version(first_version, 2)
        assert [one.key for one in store.load().groups] == ["g1", "g2"]
        assert keys(store.waiting("ops", "slack/0", 9)) == ["k1", "k2"]
    first_version.close()
    with closing(open_worker(postgresql)) as store:
        store.assign_accounts(["main"])
        assert [(one.key, one.account) for one in store.load(["main"]).groups] == [("g1", "main"), ("g2", "main")]
        store.hold({"main": 1})
        assert keys(store.heads("ops", "slack/0", 9)) == ["k1", "k2"]


def test_a_step_may_take_longer_than_other_statements(
    postgresql: PostgresqlAddress, postgresql_server: PostgresqlServer
) -> None:
    postgresql_server.administer(
        "CREATE FUNCTION public.slowly() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(1.2); END'",
        "CREATE EVENT TRIGGER slowly ON ddl_command_start WHEN TAG IN ('CREATE TRIGGER') EXECUTE FUNCTION public.slowly()",
        database=postgresql.database,
    )
    limits = PostgresqlLimits(statement=SECOND, answer=SECOND)
    with closing(open_postgresql(postgresql, limits=limits)) as store:
        assert store._rows("SHOW statement_timeout") == [("1s",)]


def test_a_daemon_of_the_first_version_is_kept_out_while_a_worker_lives(
    postgresql: PostgresqlAddress, first_version: BoundedConnection
) -> None:
    first_version.close()
    with (
        closing(open_worker(postgresql)),
        closing(connect(postgresql, PostgresqlLimits())) as older,
        pytest.raises(Exception, match="lock timeout"),
    ):
        older.execute(LOCK_OF_THE_FIRST_VERSION)
