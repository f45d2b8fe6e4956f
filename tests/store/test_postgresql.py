"""What is PostgreSQL's own: the lock, a connection that is lost, commits whose answer is, and what people are told."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import pytest
import trio

from monitor.runtime.clock import HOUR, MILLISECOND, MINUTE, SECOND
from monitor.runtime.errors import StoreDamaged, StoreError, StoreOutdated, StoreUnreachable
from monitor.runtime.installation import how_to_add
from monitor.runtime.postgresql_address import PostgresqlAddress
from monitor.store import statements
from monitor.store.async_store import AsyncStore
from monitor.store.daemon_store import daemon_store
from monitor.store.open import lock_holder, missing_for, open_store
from monitor.store.opening import StoreOpening
from monitor.store.postgresql import FOR_THE_DAEMON, PostgresqlStore, open_postgresql, open_worker
from monitor.store.postgresql_connection import SCHEMA, PostgresqlLimits, connect
from monitor.store.postgresql_statements import translated
from monitor.store.protocol import Commit, Entry, Pending, QuarantinedRecord
from tests.fakes.far_link import Cut, far_link
from tests.fakes.patience import until
from tests.fakes.postgresql import OWNER, PASSWORD, PostgresqlServer, running_server
from tests.fakes.postgresql_link import PostgresqlLink, When, linked
from tests.store.store_samples import NOW, ack, alert, cursor, group, keys, notification, transition

SHORT = PostgresqlLimits(lock=100 * MILLISECOND, answer=1_000 * MILLISECOND, pause=0)


@dataclass(frozen=True)
class Kept:
    data: bytes

    def blob(self) -> bytes:
        return self.data


@pytest.fixture
def link(postgresql: PostgresqlAddress) -> Iterator[PostgresqlLink]:
    with linked(postgresql) as made:
        yield made


def poll(number: int) -> Commit:
    return Commit(
        journal=[("main", b"%d" % number)],
        cursors=[cursor(as_of=number)],
        alerts=[alert(operator=str(number))],
        transitions=[transition(at=number)],
        groups=[group(key=str(number))],
        outbox=[Pending("slack/0", notification(f"k{number}"))],
    )


def polls_in(address: PostgresqlAddress) -> list[int]:
    """The numbers of the polls in a database, after seeing that every table tells of the same ones."""
    with closing(open_postgresql(address, read_only=True)) as store:
        numbers = [int(blob) for _, blob in store.journal("main")]
        assert [one.at for one in store.transitions()] == numbers[::-1]
        assert len(store.load().alerts) == len(store.load().groups) == len(numbers)
        assert keys(store.waiting("ops", "slack/0", 99)) == [f"k{number}" for number in numbers]
    return numbers


def test_who_needs_the_store_alone_is_told_who_works_there(postgresql: PostgresqlAddress) -> None:
    with closing(open_worker(postgresql, limits=SHORT)):
        with pytest.raises(StoreError) as caught:
            open_postgresql(postgresql, exclusive=True, limits=SHORT)
        assert f"another daemon (process {os.getpid()} on " in str(caught.value)
        assert lock_holder(postgresql) == os.getpid()
    assert lock_holder(postgresql) is None
    open_postgresql(postgresql, exclusive=True, limits=SHORT).close()


def test_a_daemon_in_another_database_is_not_in_the_way(
    postgresql: PostgresqlAddress, postgresql_server: PostgresqlServer
) -> None:
    other = postgresql_server.database()
    with (
        closing(open_worker(postgresql, limits=SHORT)),
        closing(open_worker(other, limits=SHORT)) as second,
    ):
        second.commit(poll(1))
    postgresql_server.drop(other)


def test_a_lost_connection_is_made_again_and_the_lock_with_it(
    postgresql: PostgresqlAddress, postgresql_server: PostgresqlServer
) -> None:
    with closing(open_worker(postgresql, limits=SHORT)) as store:
        store.commit(poll(1))
        postgresql_server.cut_sessions(postgresql)
        store.commit(poll(2))
        postgresql_server.cut_sessions(postgresql)
        assert len(store.load().alerts) == 2
        with pytest.raises(StoreError, match="another daemon"):
            open_postgresql(postgresql, exclusive=True, limits=SHORT)
    assert polls_in(postgresql) == [1, 2]


def test_the_old_session_of_a_connection_that_was_cut_half_way_is_ended(link: PostgresqlLink) -> None:
    with closing(open_worker(link.address, limits=SHORT)) as store:
        store.commit(poll(1))
        link.silence()  # the server still has the session, and with it the lock
        with pytest.raises(StoreError, match=r"no answer in time|timeout expired"):
            store.commit(poll(2))
        link.speak()
        store.commit(poll(2))
        assert len(store.load().alerts) == 2


def test_a_server_that_lacks_the_last_commits_is_noticed(
    postgresql: PostgresqlAddress, postgresql_server: PostgresqlServer
) -> None:
    with closing(open_worker(postgresql, limits=SHORT)) as store:
        store.commit(poll(1))
        [(before,)] = postgresql_server.administer(
            "SELECT last_commit FROM routee_monitor.worker", database=postgresql.database
        )
        store.commit(poll(2))
        postgresql_server.administer(  # as on a standby that did not get it
            f"UPDATE routee_monitor.worker SET last_commit = '{before}'", database=postgresql.database
        )
        postgresql_server.cut_sessions(postgresql)
        with pytest.raises(StoreOutdated, match="lacks the last commits"):
            store.commit(poll(3))


def test_a_standby_is_not_taken_for_the_store_before_it_has_everything() -> None:
    with running_server() as server, server.standby() as standby, linked(server.database()) as link:
        database = link.address.database

        def arrived() -> bool:
            [(there,)] = standby.administer("SELECT to_regclass('routee_monitor.transition')", database=database)
            return there and standby.administer("SELECT 1 FROM routee_monitor.transition", database=database) != []

        with closing(open_worker(link.address, limits=SHORT)) as store:
            store.commit(poll(1))
            until(arrived, "the standby to have the first commit")
            standby.administer("SELECT pg_wal_replay_pause()")
            link.cut_at_commit = "after"
            link.lead_to(standby.port)
            with pytest.raises(StoreError, match=r"standby.*is not known yet"):
                store.commit(poll(2))
            with pytest.raises(StoreError, match="standby"):
                store.waiting("ops", "slack/0", 1)
            standby.administer("SELECT pg_wal_replay_resume()")
            server.stop()
            standby.administer("SELECT pg_promote()")
            with pytest.raises(StoreOutdated, match="a commit was made whose answer got lost"):
                store.commit(poll(2))
        assert polls_in(link.address) == [1, 2]


def test_a_commit_that_waits_for_a_synchronous_standby_is_not_taken_as_made() -> None:
    with running_server() as server:
        address = server.database()

        def waiting() -> bool:
            return server.administer("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'") != []

        with closing(open_worker(address, limits=SHORT)) as store:
            store.commit(poll(1))
            server.administer("ALTER SYSTEM SET synchronous_standby_names = 'away'")
            server.stop()
            server.start()
            for _ in range(3):
                with pytest.raises(StoreError, match="waits with a commit for its synchronous standby"):
                    store.commit(poll(2))
            with pytest.raises(StoreError, match="waits with a commit for its synchronous standby"):
                open_postgresql(address, exclusive=True, limits=SHORT)
            assert waiting()
            assert polls_in(address) == [1]
            server.administer("ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()")
            until(lambda: not waiting(), "the commit to be made")
            with pytest.raises(StoreOutdated, match="a commit was made whose answer got lost"):
                store.commit(poll(2))
        assert polls_in(address) == [1, 2]


def test_a_commit_whose_session_was_ended_while_it_waited_for_a_standby_is_not_taken_as_made() -> None:
    """It can be read, but a standby that takes over may lack it."""
    with running_server() as server:
        address = server.database()
        ended = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        with closing(open_worker(address, limits=replace(SHORT, answer=10 * SECOND))) as store:
            store.commit(poll(1))
            server.administer("ALTER SYSTEM SET synchronous_standby_names = 'away'", "SELECT pg_reload_conf()")
            until(lambda: server.administer("SHOW synchronous_standby_names") == [("away",)], "the server to know")
            administrator = threading.Thread(
                target=until, args=(lambda: server.administer(ended), "the commit to wait")
            )
            administrator.start()
            with pytest.raises(StoreError, match="whether the last commit was made is not known yet"):
                store.commit(poll(2))
            administrator.join()
            server.administer("ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()")
            with pytest.raises(StoreOutdated, match="a commit was made whose answer got lost"):
                until(lambda: store.commit(poll(2)), "the commit to be known")
        assert polls_in(address) == [1, 2]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_commit_whose_answer_is_lost_is_made_once(
    postgresql: PostgresqlAddress, link: PostgresqlLink, when: When
) -> None:
    with closing(open_worker(link.address, limits=SHORT)) as store:
        store.commit(poll(1))
        link.cut_at_commit = when
        if when == "before":
            with pytest.raises(StoreError, match="before the commit was made"):
                store.commit(poll(2))
            assert polls_in(postgresql) == [1]
            store.commit(poll(2))
        else:
            [sequence] = store.commit(poll(2))
            assert sequence in dict(store.journal("main"))
        store.commit(poll(3))
    assert polls_in(postgresql) == [1, 2, 3]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_commit_that_nobody_knows_of_for_a_while_is_not_taken_for_the_wrong_thing(
    postgresql: PostgresqlAddress, link: PostgresqlLink, when: When
) -> None:
    with closing(open_worker(link.address, limits=SHORT)) as store:
        store.commit(poll(1))
        link.cut_at_commit, link.refusing = when, True
        for _ in range(2):
            with pytest.raises(StoreError, match="not known yet" if link.cut_at_commit else "cannot be opened"):
                store.commit(poll(2))
        link.refusing = False
        if when == "before":
            store.commit(poll(2))
        else:
            with pytest.raises(StoreOutdated, match="a commit was made whose answer got lost"):
                store.commit(poll(2))
    assert polls_in(postgresql) == [1, 2]


def test_a_session_whose_commit_is_still_on_its_way_is_not_ended(
    postgresql: PostgresqlAddress, link: PostgresqlLink
) -> None:
    with closing(open_worker(link.address, limits=replace(SHORT, idle=HOUR))) as store:
        store.commit(poll(1))
        link.hold_at_commit = "request"
        with pytest.raises(StoreError, match=r"still busy with the last commit.*is not known yet"):
            store.commit(poll(2))
        link.let_go()
        until(lambda: polls_in(postgresql) == [1, 2], "the commit to arrive")
        with pytest.raises(StoreOutdated, match="a commit was made whose answer got lost"):
            store.commit(poll(2))
    assert polls_in(postgresql) == [1, 2]


def test_a_session_whose_commit_never_arrives_ends_by_itself(
    postgresql: PostgresqlAddress, link: PostgresqlLink
) -> None:
    def commits() -> bool:
        try:
            store.commit(poll(2))
        except StoreOutdated:
            raise
        except StoreError:
            return False
        return True

    with closing(open_worker(link.address, limits=replace(SHORT, idle=2 * SECOND))) as store:
        store.commit(poll(1))
        link.hold_at_commit = "request"
        until(lambda: commits() or link.hold_at_commit is None, "a commit to be held")
        until(commits, "the server to give the old session up")
    assert polls_in(postgresql) == [1, 2]


def test_an_old_session_that_ends_while_its_lock_is_asked_for_is_no_other_daemon(
    postgresql: PostgresqlAddress, postgresql_server: PostgresqlServer, link: PostgresqlLink
) -> None:
    """It ends after the lock was waited for in vain and before it is asked who has it."""
    waited: list[bytes] = []

    def end_the_old_one(request: bytes) -> None:
        if b"pg_advisory_lock(" in request:
            waited.append(request)
        if waited and b"pg_stat_activity" in request:
            postgresql_server.administer(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE state = 'idle in transaction' "
                f"AND datname = '{postgresql.database}'"
            )

    with closing(open_worker(link.address, limits=replace(SHORT, idle=HOUR))) as store:
        store.commit(poll(1))
        link.hold_at_commit, link.listening = "request", end_the_old_one
        with pytest.raises(StoreError, match=r"still busy with the last commit.*is not known yet"):
            store.commit(poll(2))
        link.listening = None
        store.commit(poll(2))
    assert polls_in(postgresql) == [1, 2]


def test_a_session_that_has_made_its_commit_is_ended(postgresql: PostgresqlAddress, link: PostgresqlLink) -> None:
    with closing(open_worker(link.address, limits=SHORT)) as store:
        store.commit(poll(1))
        link.hold_at_commit = "answer"
        store.commit(poll(2))
        store.commit(poll(3))
    assert polls_in(postgresql) == [1, 2, 3]


def test_a_receipt_whose_answer_is_lost_can_be_written_again(postgresql: PostgresqlAddress) -> None:
    with far_link(postgresql) as link, closing(open_worker(link.address, limits=SHORT)) as store:
        store.commit(poll(1))
        [row] = store.waiting("ops", "slack/0", 1)
        link.cut_at = Cut(b"UPDATE", 0, answers=True)
        with pytest.raises(StoreError, match="cannot be opened"):
            store.sent(row.id, {"ts": "1"}, NOW)
        link.heal()
        store.sent(row.id, {"ts": "2"}, NOW)
        assert store.receipt("ops", "slack/0", "e1") == {"ts": "1"}
        store.commit(poll(2))


async def test_a_daemon_whose_store_was_changed_below_it_ends(
    postgresql: PostgresqlAddress, postgresql_server: PostgresqlServer
) -> None:
    async def live() -> None:
        async with daemon_store(StoreOpening(postgresql, NOW)) as (store, damage):
            assert damage is None
            await store.commit(poll(1))
            postgresql_server.administer(
                "UPDATE routee_monitor.worker SET last_commit = 'other'", database=postgresql.database
            )
            postgresql_server.cut_sessions(postgresql)
            with suppress(StoreError):  # whatever the daemon's tasks do with the error
                await store.commit(poll(2))
            await trio.sleep_forever()

    with pytest.raises(StoreOutdated, match="the daemon ends"):
        await live()
    async with daemon_store(StoreOpening(postgresql, NOW)) as (store, _):
        assert len((await store.load()).alerts) == 1


def test_a_statement_that_waits_for_somebody_elses_lock_is_given_up(
    postgresql: PostgresqlAddress, postgresql_server: PostgresqlServer
) -> None:
    with closing(open_worker(postgresql, limits=SHORT)) as store:
        with closing(connect(postgresql, SHORT)) as other:
            other.execute("BEGIN")
            other.execute("LOCK TABLE journal")
            with pytest.raises(StoreError, match="is locked by another program"):
                store.commit(poll(1))
        store.commit(poll(1))
    assert polls_in(postgresql) == [1]


def test_what_reads_and_waits_for_somebody_elses_lock_is_given_up_and_leaves_nothing_open(
    postgresql: PostgresqlAddress,
) -> None:
    with closing(open_worker(postgresql, limits=SHORT)) as store:
        store.commit(poll(1))
        with closing(connect(postgresql, SHORT)) as other:
            other.execute("BEGIN")
            other.execute("LOCK TABLE alert IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(StoreError, match="is locked by another program"):
                store.load()
        assert len(store.load().alerts) == 1
        store.commit(poll(2))
    assert polls_in(postgresql) == [1, 2]


def test_a_daemon_that_the_database_does_not_know_any_more_commits_nothing(
    postgresql: PostgresqlAddress, postgresql_server: PostgresqlServer
) -> None:
    with closing(open_worker(postgresql, limits=SHORT)) as store:
        store.commit(poll(1))
        postgresql_server.administer("DELETE FROM routee_monitor.worker", database=postgresql.database)
        for _ in range(2):
            with pytest.raises(StoreOutdated, match="no longer knows this daemon"):
                store.commit(poll(2))
    assert polls_in(postgresql) == [1]


def test_who_leaves_no_marks_does_not_take_a_commit_whose_answer_is_lost_for_made(
    postgresql: PostgresqlAddress, link: PostgresqlLink
) -> None:
    with closing(open_postgresql(link.address, exclusive=True, limits=SHORT)) as store:
        store.commit(poll(1))
        link.cut_at_commit = "before"
        with pytest.raises(StoreError):
            store.commit(poll(2))
        assert polls_in(postgresql) == [1]
        store.commit(poll(2))
    assert polls_in(postgresql) == [1, 2]


def test_a_slow_network_is_no_silent_server(link: PostgresqlLink) -> None:
    """Each transfer takes longer than the server may be silent, and longer than a statement of few bytes may take."""
    limits = replace(SHORT, statement=SECOND)
    blobs = [("main", os.urandom(3_000_000)) for _ in range(2)]
    link.rate = 2_000_000
    with closing(open_worker(link.address, limits=limits)) as store:
        store.commit(Commit(journal=blobs[:1]))
        store.commit(Commit(rule_states={("main", "r"): Kept(bytes(3_000_000))}))
        link.rate = 0
        store.commit(Commit(journal=blobs[1:]))
        link.rate = 2_000_000
        assert [blob for _, blob in store.journal("main")] == [blob for _, blob in blobs]
        with store.snapshot():
            assert len(store.load().rule_states) == 1
    assert link.connections == 1


def test_a_transfer_that_never_ends_is_given_up(link: PostgresqlLink) -> None:
    limits = replace(SHORT, statement=100 * MILLISECOND, transfer=100 * MILLISECOND)
    with closing(open_worker(link.address, limits=limits)) as store:
        link.rate = 1_000_000
        with pytest.raises(StoreError, match=r"no answer in time|took too long"):
            store.commit(Commit(journal=[("main", os.urandom(4_000_000))]))


async def test_a_daemon_that_is_to_stop_gives_a_long_transfer_up(
    postgresql: PostgresqlAddress, link: PostgresqlLink
) -> None:
    stop, given_up = trio.Event(), []

    async def transfer(store: AsyncStore) -> None:
        link.rate = 100_000
        with pytest.raises(StoreError, match="no answer in time") as caught:
            await store.commit(Commit(journal=[("main", os.urandom(5_000_000))]))
        given_up.append(caught.value)

    async with daemon_store(StoreOpening(link.address, NOW), stop) as (store, _), trio.open_nursery() as nursery:
        await store.commit(poll(1))
        nursery.start_soon(transfer, store)
        await trio.sleep(0)
        stop.set()
    assert given_up
    assert polls_in(postgresql) == [1]


def test_a_page_of_the_journal_is_small_in_bytes(postgresql: PostgresqlAddress) -> None:
    blobs = [bytes([number]) * size for number, size in enumerate([10, 300_000, 1, 200_000, 200_000, 5])]
    with closing(open_postgresql(postgresql)) as store:
        store.commit(Commit(journal=[("main", blob) for blob in blobs]))
        assert [len(blob) for _, blob in store.journal_page("main", 0)] == [10, 300_000]
        assert [blob for _, blob in store.journal("main")] == blobs


def sleep_with_a_short_limit(store: PostgresqlStore) -> None:
    with store._writing():
        store._run("SET LOCAL statement_timeout = 1", ())
        store._run("SELECT pg_sleep(30)", ())


def test_what_a_database_sets_for_all_does_not_change_what_a_commit_sees(
    postgresql: PostgresqlAddress, postgresql_server: PostgresqlServer
) -> None:
    for name, value in (("isolation", "serializable"), ("read_only", "on"), ("deferrable", "on")):
        postgresql_server.administer(f"ALTER DATABASE {postgresql.database} SET default_transaction_{name} = '{value}'")
    with closing(connect(postgresql, SHORT)) as session:
        names = "current_setting('transaction_isolation'), current_setting('transaction_read_only')"
        assert session.execute(f"SELECT {names}").fetchone() == ("read committed", "off")


def test_a_slow_statement_is_given_up(postgresql: PostgresqlAddress) -> None:
    """The short limit holds for that statement alone: others may take as long on a busy machine."""
    limits = PostgresqlLimits(statement=50 * SECOND, answer=MINUTE)
    with closing(open_postgresql(postgresql, limits=limits)) as store:
        assert store._rows("SHOW statement_timeout") == [("50s",)]
        with pytest.raises(StoreError, match="took too long to answer"):
            sleep_with_a_short_limit(store)
        assert store.counts()["journal"] == 0


@pytest.mark.parametrize("table", ["journal", "cursor", "alert", "transition", "alert_group", "parcel", "worker"])
def test_commits_that_failed_for_long_are_made_once_they_can_be(
    postgresql: PostgresqlAddress, postgresql_server: PostgresqlServer, table: str
) -> None:
    """The driver has statements prepared that come often. It took those for prepared that a failed pipeline had skipped."""
    with closing(open_worker(postgresql, limits=SHORT)) as store:
        with store.snapshot():
            store.load()
        for number in range(1, 4):
            store.commit(poll(number))
        schema = f"{SCHEMA}.{table}"
        postgresql_server.administer(f"REVOKE UPDATE, INSERT ON {schema} FROM {OWNER}", database=postgresql.database)
        for _ in range(8):
            with pytest.raises(StoreError, match="permission denied"):
                store.commit(poll(4))
        postgresql_server.administer(f"GRANT ALL ON {schema} TO {OWNER}", database=postgresql.database)
        store.commit(poll(4))
    assert polls_in(postgresql) == [1, 2, 3, 4]


def test_a_server_that_cannot_be_written_is_named_and_outlived(
    postgresql: PostgresqlAddress, postgresql_server: PostgresqlServer
) -> None:
    with closing(open_worker(postgresql, limits=SHORT)) as store:
        store.commit(poll(1))
        store._rows("SELECT set_config('default_transaction_read_only', 'on', false)")
        with pytest.raises(StoreError, match="the server is read-only"):
            store.commit(poll(2))
        assert len(store.load().alerts) == 1
        store._rows("SELECT set_config('default_transaction_read_only', 'off', false)")
        store.commit(poll(2))
    assert polls_in(postgresql) == [1, 2]


def test_what_keeps_a_daemon_out_is_said_without_the_password(
    postgresql: PostgresqlAddress, postgresql_server: PostgresqlServer
) -> None:
    wrong = [
        (postgresql.with_password("a-wrong-password"), "password authentication failed"),
        (replace(postgresql, database="nowhere"), 'database "nowhere" does not exist'),
        (replace(postgresql, user="nobody"), "password authentication failed"),
        (replace(postgresql, settings=(("sslmode", "require"),)), "SSL was required"),
        (replace(postgresql, port=1), "refused"),
    ]
    for address, why in wrong:
        with pytest.raises(StoreError, match=f"cannot be opened: .*{why}") as caught:
            open_postgresql(address, limits=SHORT)
        assert isinstance(caught.value, StoreUnreachable) == (why == "refused"), (
            "only a server that is away is waited for"
        )
        assert "tries again" not in str(caught.value)
        asked = str(caught.value).lower().count("is the server running")
        assert asked == (why == "refused"), "a server that answers runs"
        with pytest.raises(StoreError) as daemons:
            open_postgresql(address, limits=replace(SHORT, tries_again=True))
        assert ("the daemon tries again" in str(daemons.value)) == (why == "refused"), (
            "it ends at once of what stays so"
        )
        assert address.password not in f"{caught.value} {caught.value!r} {caught.value.__cause__}"
    assert postgresql.password == PASSWORD


def test_a_database_of_another_encoding_is_refused(
    postgresql: PostgresqlAddress, postgresql_server: PostgresqlServer
) -> None:
    name = f"{postgresql.database}_latin1"
    postgresql_server.administer(f"CREATE DATABASE {name} OWNER monitor ENCODING 'LATIN1' TEMPLATE template0")
    latin1 = replace(postgresql, database=name)
    with pytest.raises(StoreError, match="has not the encoding UTF8"):
        open_postgresql(latin1, limits=SHORT)
    postgresql_server.drop(latin1)


def test_tables_of_a_newer_version_are_refused(
    postgresql: PostgresqlAddress, postgresql_server: PostgresqlServer
) -> None:
    open_postgresql(postgresql).close()
    postgresql_server.administer(
        "INSERT INTO routee_monitor.applied_step VALUES (99, '9.9')", database=postgresql.database
    )
    for read_only in (True, False):
        with pytest.raises(StoreError, match=r"written by a newer version of this program, 9\.9"):
            open_postgresql(postgresql, read_only=read_only)


def test_a_store_before_first_evaluations_is_brought_up_to_date(
    postgresql: PostgresqlAddress, postgresql_server: PostgresqlServer
) -> None:
    with closing(open_postgresql(postgresql)) as store:
        store.commit(poll(1))
    for undone in (
        "DROP TABLE routee_monitor.first_evaluation, routee_monitor.rule_set, routee_monitor.ended_session",
        "ALTER TABLE routee_monitor.worker DROP COLUMN left_alone, DROP COLUMN left_why",
        "ALTER TABLE routee_monitor.alert DROP COLUMN account",
        "DELETE FROM routee_monitor.applied_step WHERE number >= 3",
    ):
        postgresql_server.administer(undone, database=postgresql.database)
    with closing(open_postgresql(postgresql)) as store:
        assert store.load().first_evaluations == {("main", ""): 0}, "of the rules of then nobody knows"
        assert [one.as_of for one in store.load().cursors] == [1]


def test_a_reader_makes_no_store_and_writes_nothing(postgresql: PostgresqlAddress) -> None:
    with pytest.raises(StoreError, match="there is no store"), open_store(postgresql, read_only=True):
        pass
    with closing(open_postgresql(postgresql)) as store:
        store.commit(poll(1))
    with open_store(postgresql, read_only=True) as reader, pytest.raises(StoreError, match="snapshot"):
        reader.commit(poll(2))
    with closing(open_postgresql(postgresql, read_only=True)) as reader, pytest.raises(StoreError, match="read-only"):
        reader.commit(poll(2))


def test_tables_of_others_in_the_same_database_are_left_alone(
    postgresql: PostgresqlAddress, postgresql_server: PostgresqlServer
) -> None:
    postgresql_server.administer("CREATE TABLE public.alert (theirs TEXT)", database=postgresql.database)
    with closing(open_postgresql(postgresql)) as store:
        store.commit(poll(1))
    assert postgresql_server.administer("TABLE public.alert", database=postgresql.database) == []


SQLITE_ALONE = re.compile("sqlite|json_group_array|json_each")


def test_every_statement_is_one_that_postgresql_knows(postgresql: PostgresqlAddress) -> None:
    open_postgresql(postgresql).close()
    known = [value for name, value in vars(statements).items() if name.isupper() and isinstance(value, str)]
    known += [*statements.FORGET_WINDOW, *statements.PRUNE_OLD]
    whole = [
        one
        for one in known
        if one.split()[0] in ("SELECT", "INSERT", "UPDATE", "DELETE") and not SQLITE_ALONE.search(one)
    ]
    assert len(whole) > 50
    conditions = [*statements.CONDITIONS.values(), *statements.OUTCOMES.values()]
    whole += [statements.HISTORY.format(condition) for condition in conditions]
    with closing(connect(postgresql, PostgresqlLimits())) as connection:
        for statement in whole:
            text = translated(statement).replace("{}", "TRUE")
            number = text.count("%s")
            for index in range(number):
                text = text.replace("%s", f"${index + 1}", 1)
            with connection.transaction():
                connection.execute(f"PREPARE one AS {text}".encode())
                connection.execute("DEALLOCATE one")


def test_texts_that_postgresql_cannot_hold_come_back_as_they_were(postgresql: PostgresqlAddress) -> None:
    texts = ["nul\0", "\ufdd0", "\ufdd00", "\0\ufdd01\0", "plain"]
    with closing(open_postgresql(postgresql)) as store:
        store.commit(Commit(entries=[Entry("main", "from", code, text) for code, text in enumerate(texts)]))
        assert [entry.value for entry in store.entries("main")] == texts
        store.commit(Commit(outbox=[Pending("slack/0", notification("a\0b", "e\0"))]))
        [row] = store.waiting("ops", "slack/0", 1)
        store.rejected(row.id, "why\0", NOW)
        assert store.outbox_rows("dead")[0].error == "why\0"


def test_killed_at_random_instants_every_commit_is_whole_and_none_is_lost(postgresql: PostgresqlAddress) -> None:
    command = [sys.executable, str(Path(__file__).parent / "kill_rounds.py"), str(postgresql.with_password("")), "12"]
    environment = os.environ | {"PGPASSWORD": postgresql.password}
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    reported = [int(line) for line in done.stdout.split()]
    assert len(reported) == 12
    assert sum(reported) >= 12


def test_a_large_dictionary_is_read_whole_and_in_order(postgresql: PostgresqlAddress) -> None:
    entries = [Entry("main", field, code, str(code)) for field in ("from", "operator") for code in range(12_345)]
    with closing(open_postgresql(postgresql)) as store:
        store.commit(Commit(entries=entries[::-1]))
        assert store.entries("main") == entries


def test_after_a_connection_in_vain_calls_fail_at_once_for_a_while(
    postgresql: PostgresqlAddress, link: PostgresqlLink
) -> None:
    with closing(open_postgresql(link.address, limits=replace(SHORT, pause=HOUR))) as store:
        link.refusing = True
        link.cut()
        with pytest.raises(StoreError, match="cannot be opened"):
            store.counts()
        link.refusing = False
        with pytest.raises(StoreError, match="cannot be opened"):
            store.counts()
        assert link.connections == 1


def test_what_was_in_vain_is_tried_at_once_when_the_leases_work_again(
    postgresql: PostgresqlAddress, link: PostgresqlLink
) -> None:
    with closing(open_worker(link.address, limits=replace(SHORT, pause=HOUR))) as store:
        link.refusing = True
        link.cut()
        store.hold({}, "the store cannot be opened")
        with pytest.raises(StoreError, match="cannot be opened"):
            store.load()
        link.refusing = False
        store.hold({}, "the store cannot be opened")
        with pytest.raises(StoreError, match="cannot be opened"):
            store.load()
        store.hold({})
        assert store.load().alerts == []


def test_where_the_driver_is_missing_it_is_said_how_to_get_it(
    postgresql: PostgresqlAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("monitor.store.postgresql")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("monitor.store.postgresql", raising=False)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    said = f"the store {postgresql} needs psycopg, which is not installed: {how_to_add('postgresql')}"
    assert missing_for(postgresql) == said
    with pytest.raises(StoreError) as caught, open_store(postgresql):
        pass
    assert str(caught.value) == said


def test_who_has_no_store_in_postgresql_needs_no_driver() -> None:
    program = "import sys, monitor.cli, monitor.daemon.main, monitor.cli.read_store; print('psycopg' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "False\n"


def test_the_servers_detail_of_rows_is_not_shown(postgresql: PostgresqlAddress) -> None:
    with closing(open_postgresql(postgresql)) as store:
        store.commit(Commit(entries=[Entry("main", "to", 1, "+306900000001")]))
        with pytest.raises(StoreError) as caught:
            store._rows("INSERT INTO entry VALUES ('main', 'to', 1, 'x') RETURNING code")
        assert "main" not in str(caught.value).partition("cannot be used")[2]


@pytest.mark.parametrize(
    ("table", "column", "read"),
    [
        ("alert", "data", PostgresqlStore.load),
        ("alert_group", "data", PostgresqlStore.load),
        ("cursor", "data", PostgresqlStore.load),
    ],
)
@pytest.mark.parametrize("value", ["x", "\\x7b226163636f756e74223a22ff227d"], ids=["no JSON", "no UTF-8"])
def test_a_damaged_row_is_named_with_what_to_do_about_a_database(
    postgresql: PostgresqlAddress,
    postgresql_server: PostgresqlServer,
    table: str,
    column: str,
    read: Callable[[PostgresqlStore], object],
    value: str,
) -> None:
    with closing(open_postgresql(postgresql)) as store:
        store.commit(poll(1))
        statement = f"UPDATE routee_monitor.{table} SET {column} = '{value}'"
        postgresql_server.administer(statement, database=postgresql.database)
        with pytest.raises(
            StoreDamaged, match=f"in the table routee_monitor.{table} cannot be read: .*delete that row"
        ) as caught:
            read(store)
    assert "file" not in str(caught.value)
    named = {
        "alert": f"the alert {alert(operator='1').fingerprint} of account main",
        "alert_group": "the group 1 of receiver ops, account (none)",
        "cursor": f"the cursor of account main, search {cursor().search}",
    }
    assert named[table] in str(caught.value), "which row"


def test_of_a_transition_that_is_damaged_the_rest_is_shown(
    postgresql: PostgresqlAddress, postgresql_server: PostgresqlServer
) -> None:
    with closing(open_postgresql(postgresql)) as store:
        store.commit(poll(1))
        [written] = store.transitions()
        postgresql_server.administer("UPDATE routee_monitor.transition SET about = '{}'", database=postgresql.database)
        assert store.transitions() == [msgspec.structs.replace(written, about=None)]


def test_an_unreadable_silence_or_acknowledgement_stops_no_daemon(
    postgresql: PostgresqlAddress, postgresql_server: PostgresqlServer
) -> None:
    with closing(open_postgresql(postgresql)) as store:
        store.commit(poll(1))
        for statement in (
            """INSERT INTO routee_monitor.silence (id, data) VALUES ('s', '{"a":')""",
            "INSERT INTO routee_monitor.acknowledgement (fingerprint, data) VALUES ('nobody', '[]')",
        ):
            postgresql_server.administer(statement, database=postgresql.database)
        for found in (store.load(), store.suppressions()):
            assert [one.id for one in found.unusable] == ["s"]
            assert found.acks == []
        assert store.load().cursors


def test_an_unreadable_acknowledgement_is_logged_once(
    postgresql: PostgresqlAddress, postgresql_server: PostgresqlServer, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(open_postgresql(postgresql)) as store:
        store.commit(poll(1))
        statement = "INSERT INTO routee_monitor.acknowledgement (fingerprint, data) VALUES ('1f', 'nonsense')"
        postgresql_server.administer(statement, database=postgresql.database)
        for _ in range(3):
            store.suppressions()
            store.load()
    [said] = [record.getMessage() for record in caplog.records if "acknowledgement" in record.getMessage()]
    assert said.startswith("the acknowledgement of alert 1f cannot be read and is left out: ")
    assert said.endswith("it is in the table routee_monitor.acknowledgement, from where it can be deleted")


UNREADABLE_ALERT = "INSERT INTO routee_monitor.alert (fingerprint, account, data) VALUES ('x', '{}', 'nonsense')"


def test_an_unreadable_alert_of_no_account_hinders_no_account(
    postgresql: PostgresqlAddress, postgresql_server: PostgresqlServer
) -> None:
    with closing(open_postgresql(postgresql)) as store:
        store.commit(poll(1))
        alerts = store.load().alerts
        postgresql_server.administer(UNREADABLE_ALERT.format(""), database=postgresql.database)
        of_nobody = "UPDATE routee_monitor.alert_group SET account = ''"
        postgresql_server.administer(of_nobody, database=postgresql.database)
        for found in (store.load(), store.load(["main"])):
            assert found.alerts == alerts
            [one] = found.unusable_alerts
            assert (one.fingerprint, one.record) == ("x", "nonsense")
            assert "malformed" in one.why
        assert store.load([]).unusable_alerts == [one]
        assert store.owners() == ["main"]
        store.assign_accounts(["main"])
        assert {group.account for group in store.load().groups} == {"main"}


def test_an_alert_of_no_account_is_only_dropped_while_it_has_none(
    postgresql: PostgresqlAddress, postgresql_server: PostgresqlServer
) -> None:
    with closing(open_postgresql(postgresql)) as store:
        postgresql_server.administer(UNREADABLE_ALERT.format(""), database=postgresql.database)
        store.commit(poll(1))
        alerts = store.load().alerts
        store.commit(Commit(dropped_alerts_of_nobody=["x", *(one.fingerprint for one in alerts)]))
        assert (store.load().alerts, store.load().unusable_alerts) == (alerts, [])


def test_a_notification_that_cannot_be_read_is_given_up_and_holds_up_no_other(
    postgresql: PostgresqlAddress, postgresql_server: PostgresqlServer
) -> None:
    with closing(open_postgresql(postgresql)) as store:
        both = [notification(key, key) for key in "ab"]
        store.commit(Commit(outbox=[Pending("webhook/0", one) for one in both]))
        postgresql_server.administer(
            "UPDATE routee_monitor.parcel SET notification = '{}' WHERE key = 'a'", database=postgresql.database
        )
        receiver = both[0].receiver
        assert [one.notification.key for one in store.heads(receiver, "webhook/0", 10)] == ["b"]
        assert [one.notification.key for one in store.waiting(receiver, "webhook/0", 10)] == ["b"]
        assert store.dead_letters() == {(receiver, "webhook/0"): 1}


def test_behind_a_pooler_that_ignores_settings_nothing_is_made(
    postgresql: PostgresqlAddress, postgresql_server: PostgresqlServer, link: PostgresqlLink
) -> None:
    postgresql_server.administer("GRANT CREATE ON SCHEMA public TO monitor", database=postgresql.database)
    link.ignoring_options = True
    with pytest.raises(StoreError, match=r"ignores the settings of a connection.*point `store` at PostgreSQL itself"):
        open_postgresql(link.address, exclusive=True, limits=SHORT)
    tables = "SELECT schemaname, tablename FROM pg_tables WHERE tableowner = 'monitor'"
    assert postgresql_server.administer(tables, database=postgresql.database) == []


def test_an_error_with_a_code_is_no_unreachable_server(postgresql: PostgresqlAddress) -> None:
    with closing(open_postgresql(postgresql)) as store:
        with pytest.raises(
            StoreError, match="cannot hold what was to be written: requested length too large"
        ) as caught:
            store._rows("SELECT repeat('x', 2000000000)")
        assert not isinstance(caught.value, StoreUnreachable)


@pytest.mark.parametrize("code", ["55P03", "57014", "53100", "53200"])
def test_what_passes_is_worth_another_try(postgresql: PostgresqlAddress, code: str) -> None:
    with closing(open_postgresql(postgresql, limits=FOR_THE_DAEMON)) as store:
        with pytest.raises(StoreUnreachable, match="the daemon tries again"):
            store._rows(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{code}'; END $$")
        assert store.counts()["journal"] == 0


def test_what_a_daemon_asks_of_a_store_that_is_far_away_takes_few_round_trips(postgresql: PostgresqlAddress) -> None:
    accounts = [f"account{number}" for number in range(50)]
    with far_link(postgresql) as link, closing(open_worker(link.address)) as store:
        store.commit(poll(0))
        link.round_trip = 0.2  # so that no answer comes while something is still being sent

        def turns(call: Callable[[], object]) -> int:
            before = link.turns
            call()
            return link.turns - before

        assert turns(lambda: store.commit(poll(1))) == 3, "the beginning with the leases, the rows, and COMMIT"
        assert (
            turns(
                lambda: store.commit(
                    replace(
                        poll(2), quarantined=[QuarantinedRecord("main", "s", NOW, "why", str(one)) for one in range(9)]
                    )
                )
            )
            == 3
        )
        edit = Commit(acks=[ack()], decided_on=store.suppressions().revision)
        assert turns(lambda: store.commit(edit)) == 3, "with a condition"
        [row, *_] = store.waiting("ops", "slack/0", 1)
        assert turns(lambda: store.sent(row.id, {}, NOW)) == 1
        assert turns(lambda: store.load(accounts)) == 1
        assert turns(store.suppressions) == 1
        assert turns(lambda: store.journal_page("main", 0)) == 1
        assert turns(lambda: store.announce_rules(dict.fromkeys(accounts, "digest"))) == 1
