"""Several daemons on one database: who holds which account, and that nobody commits for an account that another one took."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from importlib.metadata import version

import msgspec
import pytest

from monitor.alerts.alert_episodes import end_not_seen
from monitor.daemon.fleet.fleet_json import fleet_json
from monitor.daemon.fleet.namesakes import Namesakes
from monitor.model.fleet import FleetView
from monitor.runtime.clock import HOUR, MILLISECOND, SECOND
from monitor.runtime.errors import DecidedTooLate, LeaseLost, StoreError, StoreOutdated, StoreUnreachable
from monitor.runtime.postgresql_address import PostgresqlAddress
from monitor.store.leases import BEAT_EVERY, LEASE_DEADLINE, LEASE_TTL, LeaseStore
from monitor.store.postgresql import PostgresqlStore, open_postgresql, open_worker
from monitor.store.postgresql_connection import PostgresqlLimits
from monitor.store.postgresql_leases import FOR_LEASES
from monitor.store.protocol import Commit, Cursor, Entry, Pending
from tests.fakes.far_link import Cut, far_link
from tests.fakes.patience import until
from tests.fakes.postgresql import OWNER, PostgresqlServer
from tests.fakes.postgresql_link import linked
from tests.store.store_samples import NOW, ack, alert, group, keys, notification, silence, transition

SHORT = PostgresqlLimits(
    lock=700 * MILLISECOND, answer=1_000 * MILLISECOND, idle=1_000 * MILLISECOND, pause=0, tries_again=True
)
BOTH = ("main", "other")


@dataclass(frozen=True)
class Daemon:
    """One worker: its store, and its leases."""

    store: PostgresqlStore
    leases: LeaseStore

    def take(self, *accounts: str) -> dict[str, int]:
        """Takes what is free of some accounts, and holds nothing else."""
        self.leases.beat(accounts, {})
        taken = self.leases.take(accounts)
        self.store.hold(taken)
        return taken


@dataclass(frozen=True)
class Fleet:
    """Makes workers of one database, and tells its administrator what to do."""

    address: PostgresqlAddress
    server: PostgresqlServer
    opened: ExitStack

    def daemon(self, address: PostgresqlAddress | None = None, url: str = "", port: int = 0) -> Daemon:
        opened = open_worker(address or self.address, url=url, port=port, limits=SHORT)
        store = self.opened.enter_context(closing(opened))
        leases = store.leases()
        assert leases is not None
        return Daemon(store, self.opened.enter_context(closing(leases)))

    def tell(self, statement: str) -> list[tuple[object, ...]]:
        return self.server.administer("SET search_path = routee_monitor", statement, database=self.address.database)

    def lapse(self, account: str) -> None:
        """As if its holder had been silent for so long."""
        self.tell(f"UPDATE lease SET expires_at = clock_timestamp() - INTERVAL '1 ms' WHERE account = '{account}'")


@pytest.fixture
def fleet(postgresql_tables: PostgresqlAddress, postgresql_server: PostgresqlServer) -> Iterator[Fleet]:
    with ExitStack() as opened:
        yield Fleet(postgresql_tables, postgresql_server, opened)


def poll(account: str, number: int) -> Commit:
    return Commit(
        journal=[(account, b"%d" % number)],
        alerts=[msgspec.structs.replace(alert(operator=str(number)), account=account)],
        outbox=[Pending("slack/0", notification(f"{account}{number}", episode=f"e{account}"), account)],
    )


def polls_of(store: PostgresqlStore, account: str) -> list[int]:
    return [int(blob) for _, blob in store.journal(account)]


def holders(view: FleetView) -> dict[str, tuple[int | None, int]]:
    return {lease.account: (lease.worker, lease.token) for lease in view.fleet.leases}


@pytest.mark.parametrize("table", ["worker", "lease"])
def test_leases_that_could_not_be_renewed_for_long_are_renewed_once_they_can_be(fleet: Fleet, table: str) -> None:
    daemon = fleet.daemon()
    for beats in range(1, 9):
        taken = daemon.take("main")
        fleet.tell(f"REVOKE ALL ON {table} FROM {OWNER}")
        for _ in range(beats):
            with pytest.raises(StoreError, match="permission denied"):
                daemon.leases.beat(["main"], taken)
        fleet.tell(f"GRANT ALL ON {table} TO {OWNER}")
        daemon.leases.beat(["main"], taken)
        daemon.leases.release("main", taken["main"])


def test_one_takes_what_is_free_and_all_see_who_holds_what(fleet: Fleet) -> None:
    first, second = fleet.daemon(url="http://first/"), fleet.daemon()
    before = first.leases.beat(BOTH, {})
    assert holders(before) == {"main": (None, 0), "other": (None, 0)}
    assert before.fleet.free(["other", "main", "unknown"]) == ("other", "main")
    assert first.leases.take(["other"]) == {"other": 1}
    assert second.leases.take(BOTH) == {"main": 1}
    assert first.leases.take(BOTH) == second.leases.take(BOTH) == {}
    view = first.leases.beat(BOTH, {"other": 1})
    assert view == replace(second.leases.beat(BOTH, {"main": 1}), now=view.now, fleet=view.fleet)
    one, two = view.fleet.workers
    assert (view.fleet.holder_of("other"), view.fleet.holder_of("main")) == (one, two)
    assert (one.id, one.url, two.id) == (first.leases.worker, "http://first/", second.leases.worker)
    assert one.name == f"{socket.gethostname()}:{os.getpid()}"
    assert one.version == version("routee-monitor")
    assert view.fleet.living == view.fleet.workers
    assert all(0 <= view.now - worker.since < 60 * SECOND for worker in view.fleet.workers)
    assert all(0 < worker.expires_in <= LEASE_TTL for worker in view.fleet.workers)


def test_each_knows_what_the_others_have_in_their_configuration(fleet: Fleet) -> None:
    first, second = fleet.daemon(), fleet.daemon()
    assert [one.wanted for one in first.leases.beat(["other", "main"], {}).fleet.workers] == [("other", "main"), ()]
    second.leases.beat(["main"], {})
    assert [one.wanted for one in first.leases.beat(BOTH, {}).fleet.workers] == [BOTH, ("main",)]


def test_each_knows_what_the_others_leave_alone(fleet: Fleet) -> None:
    first, second = fleet.daemon(), fleet.daemon()
    first.leases.beat(BOTH, {}, (), {"other": "it cannot\0 poll it"})
    one, two = second.leases.beat(BOTH, {}).fleet.workers
    assert (len(one.left_why), one.left_why[0].startswith("it cannot"), two.left_why) == (1, True, ())
    assert (one.left_alone, one.takes) == (("other",), {"main"})
    assert (two.left_alone, two.takes) == ((), set(BOTH))
    assert first.leases.beat(BOTH, {}).fleet.workers[0].takes == set(BOTH)


def test_a_long_reason_why_an_account_is_left_alone_is_cut_between_two_words(fleet: Fleet) -> None:
    first, second = fleet.daemon(), fleet.daemon()
    first.leases.beat(BOTH, {}, (), {"other": "restore a backup of the database; " * 40, "main": "ä" * 9_000})
    cut, whole = second.leases.beat(BOTH, {}).fleet.workers[0].left_why[::-1]
    assert cut.endswith((" backup…", " restore…", " a…", " of…", " the…", " database…"))
    assert (400 < len(cut) <= 500, len(whole)) == (True, 500)


def test_an_account_that_nobody_has_in_its_configuration_can_be_taken_too(fleet: Fleet) -> None:
    daemon = fleet.daemon()
    view = daemon.leases.beat(["main"], {}, ["gone"])
    assert (holders(view), view.fleet.workers[0].wanted) == ({"gone": (None, 0), "main": (None, 0)}, ("main",))
    assert daemon.leases.take(["gone"]) == {"gone": 1}


def test_what_is_not_written_because_leases_could_not_be_renewed_says_why(fleet: Fleet) -> None:
    daemon = fleet.daemon()
    held = daemon.take(*BOTH)
    daemon.store.hold({}, "the server cannot be reached")
    with pytest.raises(LeaseLost, match=r"^the leases could not be renewed \(the server cannot be reached\): .* main "):
        daemon.store.commit(poll("main", 1))
    daemon.store.hold(held)
    daemon.store.commit(poll("main", 1))


def test_a_lapsed_lease_is_taken_with_the_next_token_and_the_former_holder_commits_nothing(fleet: Fleet) -> None:
    first, second = fleet.daemon(), fleet.daemon()
    held = first.take(*BOTH)
    first.store.commit(poll("main", 1))
    fleet.lapse("main")
    assert second.take(*BOTH) == {"main": 2}
    for commit in (poll("main", 9), Commit(silences=[silence()], relies_on={"main"})):
        with pytest.raises(LeaseLost, match="main") as caught:
            first.store.commit(commit)
        assert caught.value.accounts == ("main",)
    [row, *_] = second.store.outbox_rows("waiting")
    with pytest.raises(LeaseLost, match="main"):
        first.store.rejected(row.id, "late", NOW)
    second.store.commit(poll("main", 2))
    assert polls_of(first.store, "main") == [1, 2]
    assert first.store.load().silences == []
    view = first.leases.beat(BOTH, held)
    assert holders(view) == {"main": (second.leases.worker, 2), "other": (first.leases.worker, 1)}
    first.store.hold({"other": 1})
    first.store.commit(poll("other", 1))


def test_what_a_commit_was_decided_from_must_still_be_held_whatever_it_writes(fleet: Fleet) -> None:
    first, second = fleet.daemon(), fleet.daemon()
    first.take(*BOTH)
    first.store.commit(poll("main", 1))
    [fires] = first.store.load().alerts
    drop = Commit(dropped_alerts=[fires.fingerprint], relies_on={"main"})
    for held in ({}, {"other": 1}):
        first.store.hold(held)
        with pytest.raises(LeaseLost, match="main"):
            first.store.commit(drop)
    first.store.hold({"main": 1, "other": 1})
    fleet.lapse("main")
    second.take("main")
    with pytest.raises(LeaseLost, match="main"):
        first.store.commit(drop)
    assert second.store.load().alerts == [fires]


def test_an_account_that_was_lost_hinders_no_other_one(fleet: Fleet) -> None:
    first, second = fleet.daemon(), fleet.daemon()
    first.take(*BOTH)
    first.store.commit(poll("other", 1))
    fleet.lapse("main")
    assert second.take("main")
    first.store.commit(poll("other", 2))
    assert polls_of(second.store, "other") == [1, 2]
    [newest, row] = first.store.outbox_rows("waiting")
    first.store.rejected(row.id, "gone", NOW)
    first.store.postponed(newest.id, "busy", NOW)
    assert [(one.error, one.attempts) for one in second.store.outbox_rows()] == [("busy", 1), ("gone", 0)]
    first.store.commit(Commit(silences=[silence()]))
    assert second.store.load().silences == [silence()]


def test_a_lease_that_lapsed_but_was_not_taken_is_renewed_with_its_token(fleet: Fleet) -> None:
    first, second = fleet.daemon(), fleet.daemon()
    held = first.take("main")
    fleet.lapse("main")
    assert first.leases.beat(["main"], held).fleet.holder_of("main") is not None
    assert second.leases.take(["main"]) == {}
    first.store.commit(poll("main", 1))


def test_a_lease_counts_by_the_servers_clock_and_lasts_as_long_as_it_is_renewed(fleet: Fleet) -> None:
    first = fleet.daemon()
    held = first.take("main")
    fleet.lapse("main")
    view = first.leases.beat(["main"], held)
    [left] = [lease.expires_in for lease in view.fleet.leases]
    assert LEASE_TTL - SECOND < left <= LEASE_TTL
    fleet.lapse("main")
    [lease] = first.leases.beat(["main"], {}).fleet.leases
    assert lease.expires_in < 0, "what it does not say it holds is not renewed"
    assert first.leases.beat(["main"], {}).fleet.accounts_of(first.leases.worker) == ()


def test_what_is_not_held_is_not_committed_and_not_sent(fleet: Fleet) -> None:
    daemon = fleet.daemon()
    held = daemon.take(*BOTH)
    for account in BOTH:
        daemon.store.commit(poll(account, 1))
    [row] = daemon.store.waiting("ops", "slack/0", 1)
    daemon.store.commit(Commit(outbox=[Pending("slack/0", notification("next", episode="emain"), "main")]))
    assert (row.account, daemon.store.successor(row.id)) == ("main", "next")
    daemon.store.hold({"other": held["other"]})
    assert (
        keys(daemon.store.heads("ops", "slack/0", 9)) == keys(daemon.store.waiting("ops", "slack/0", 9)) == ["other1"]
    )
    assert daemon.store.successor(row.id) is None
    assert daemon.store.backlog() == {("ops", "slack/0"): (1, NOW)}
    for commit in (poll("main", 2), Commit(forgotten=["main"]), Commit(dropped_groups=[("g", "ops", "main")])):
        with pytest.raises(LeaseLost, match="main"):
            daemon.store.commit(commit)
    daemon.store.hold({})
    assert daemon.store.heads("ops", "slack/0", 9) == []
    assert daemon.store.backlog() == {}
    daemon.store.commit(Commit(silences=[silence()], acks=[ack()]))
    daemon.store.postponed(row.id, "late", NOW)
    daemon.store.rejected(row.id, "late", NOW)
    assert {(one.state, one.attempts) for one in daemon.store.outbox_rows()} == {("waiting", 0)}
    daemon.store.sent(row.id, {"ts": "1"}, NOW)
    assert daemon.store.receipt("ops", "slack/0", "emain") == {"ts": "1"}, "what was sent is noted in any case"
    assert len(daemon.store.outbox_rows()) == 3
    assert polls_of(daemon.store, "main") == [1]
    daemon.store.hold(held)
    other = daemon.store.waiting("ops", "slack/0", 1)[0]
    daemon.store.postponed(other.id, "503", NOW)
    daemon.store.rejected(other.id, "no", NOW)
    assert [(one.attempts, one.error) for one in daemon.store.outbox_rows("dead")] == [(1, "no")]


def test_a_holder_with_a_commit_under_way_keeps_its_lease_and_renews_it(fleet: Fleet) -> None:
    first, second = fleet.daemon(), fleet.daemon()
    held = first.take("main")
    with first.store._session.transaction(marked=True, leases=held) as connection:
        connection.execute("INSERT INTO journal (account, rows) VALUES ('main', '1')")
        fleet.lapse("main")
        assert second.leases.take(["main"]) == {}
        first.leases.beat(["main"], held)
        assert second.leases.beat(["main"], {}).fleet.holder_of("main") is not None
        fleet.lapse("main")
    assert second.leases.take(["main"]) == {"main": 2}
    assert polls_of(second.store, "main") == [1]


def test_a_commit_waits_for_a_lease_that_is_just_being_taken_and_is_then_refused(fleet: Fleet) -> None:
    first, second = fleet.daemon(), fleet.daemon()
    first.take("main")
    fleet.lapse("main")
    done: list[object] = []

    def commit() -> None:
        try:
            done.append(first.store.commit(poll("main", 9)))
        except StoreError as error:
            done.append(error)

    with second.store._session.transaction(marked=False) as connection:
        connection.execute("SELECT 1 FROM lease WHERE account = 'main' FOR UPDATE SKIP LOCKED")
        thread = threading.Thread(target=commit)
        thread.start()
        until(lambda: fleet.tell("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"), "the commit to wait")
        connection.execute("UPDATE lease SET token = token + 1, worker = %s", (second.leases.worker,))
    thread.join()
    assert isinstance(done[0], LeaseLost)
    assert polls_of(second.store, "main") == []


def test_a_worker_that_stands_still_in_a_transaction_does_not_keep_its_accounts(fleet: Fleet) -> None:
    first, second = fleet.daemon(), fleet.daemon()
    held = first.take("main")

    def stand_still() -> None:
        with first.store._session.transaction(marked=True, leases=held) as connection:
            connection.execute("INSERT INTO journal (account, rows) VALUES ('main', '9')")
            fleet.lapse("main")
            until(lambda: second.leases.take(["main"]) == {"main": 2}, "the server to end the transaction")

    with pytest.raises(StoreError):
        stand_still()
    with pytest.raises(LeaseLost):
        first.store.commit(poll("main", 9))
    assert polls_of(second.store, "main") == []


def test_a_worker_that_is_cut_off_in_the_middle_of_a_transfer_does_not_keep_its_accounts(fleet: Fleet) -> None:
    """The server has a part of a statement, and waits for the rest; whatever stands in between still acknowledges all."""
    cut, arrived = threading.Event(), []

    def swallow(request: bytes) -> None:
        arrived.append(len(request))
        if sum(arrived) > 1_000_000 and not cut.is_set():
            link.refusing = True
            cut.wait()

    with linked(fleet.address) as link:
        first, second = fleet.daemon(link.address), fleet.daemon()
        first.take("main")
        link.listening = swallow
        with pytest.raises(StoreError):
            first.store.commit(Commit(journal=[("main", os.urandom(4_000_000))]))
        assert sum(arrived) < 4_000_000
        fleet.lapse("main")
        until(lambda: second.leases.take(["main"]) == {"main": 2}, "its session to be ended")
        cut.set()
        link.refusing = False
        with pytest.raises(LeaseLost):
            first.store.commit(poll("main", 9))
    assert polls_of(second.store, "main") == []


@pytest.mark.parametrize("after", [b"WITH renewed", b"FROM worker ORDER BY id", b"FROM store_state"])
def test_a_worker_that_is_cut_off_in_the_middle_of_a_beat_does_not_keep_its_accounts(
    fleet: Fleet, after: bytes
) -> None:
    """In the renewal, and in what is asked after it. What stands in between still acknowledges all, so that no timer of the server's ends it."""
    with far_link(fleet.address) as link:
        first, second = fleet.daemon(link.address), fleet.daemon()
        held = first.take("main")
        link.cut_at = Cut(after, len(after) + 12)
        with pytest.raises(StoreUnreachable, match="no answer in time"):
            first.leases.beat(["main"], held)
        assert link.is_cut
        until(lambda: second.leases.take(["main"]) == {"main": 2}, "its session to be ended")


@pytest.mark.parametrize(
    "cut",
    [
        Cut(b"INSERT INTO journal", 50_000),
        Cut(b"INSERT INTO entry", 0),
        Cut(b"INSERT INTO entry", 400),
        Cut(b"SET last_commit", 0),
        Cut(b"INSERT 0 1", 0, answers=True),
        Cut(b"UPDATE 1", 0, answers=True),
        Cut(b"COMMIT", 0),
    ],
    ids=str,
)
def test_a_worker_that_is_cut_off_anywhere_in_a_commit_does_not_keep_its_accounts(fleet: Fleet, cut: Cut) -> None:
    """In a statement, between two, and before COMMIT; what stands in between still acknowledges all, so that no timer of the network's counts."""
    with far_link(fleet.address) as link:
        first, second = fleet.daemon(link.address), fleet.daemon()
        first.take("main")
        link.cut_at = cut
        entries = [Entry("main", "operator", number, f"operator {number}") for number in range(100)]
        with pytest.raises(StoreError):
            first.store.commit(Commit(journal=[("main", os.urandom(100_000))], entries=entries))
        assert link.is_cut
        fleet.lapse("main")
        until(lambda: second.leases.take(["main"]) == {"main": 2}, "its session to be ended", 10)
        link.heal()
        with pytest.raises(LeaseLost):
            first.store.commit(poll("main", 9))
    assert polls_of(second.store, "main") == []


def test_a_beat_and_a_take_are_one_round_trip_however_many_accounts_there_are(fleet: Fleet) -> None:
    names = [f"account{number}" for number in range(100)]
    with far_link(fleet.address) as link:
        worker = fleet.daemon(link.address)
        worker.leases.beat(names, {})
        link.round_trip = 0.2  # so that no answer comes while something is still being sent

        def turns(call: Callable[[], object]) -> int:
            before = link.turns
            call()
            return link.turns - before

        assert turns(lambda: worker.leases.take(names)) == 1
        held = dict.fromkeys(names, 1)
        assert turns(lambda: worker.leases.beat(names, held)) == 1
        assert turns(lambda: worker.leases.release(names[0], 1)) == 1
        assert turns(worker.leases.leave) == 1


def test_a_worker_that_leaves_is_followed_at_once(fleet: Fleet) -> None:
    first, second = fleet.daemon(), fleet.daemon()
    first.take(*BOTH)
    first.leases.release("main", 7)
    assert second.leases.take(BOTH) == {}, "that was not its token"
    first.leases.release("main", 1)
    assert second.leases.take(BOTH) == {"main": 2}
    first.leases.leave()
    assert second.leases.take(BOTH) == {"other": 2}
    assert [worker.id for worker in second.leases.beat(BOTH, {}).fleet.workers] == [second.leases.worker]
    first.store.hold({})
    with pytest.raises(StoreOutdated, match="no longer knows this daemon"):
        first.store.commit(Commit(silences=[silence()]))
    assert second.store.load().silences == []


def test_a_daemon_that_holds_no_account_can_record_the_end_of_an_alert_that_was_lost(fleet: Fleet) -> None:
    daemon = fleet.daemon()
    daemon.store.hold({})
    daemon.store.commit(Commit(transitions=[transition()]))
    [lost] = daemon.store.lost_alerts()
    daemon.store.commit(Commit(transitions=[end_not_seen(lost, NOW + 1)]))
    assert daemon.store.lost_alerts() == []


def test_a_worker_that_died_before_it_announced_its_rules_is_shown_for_minutes_only(fleet: Fleet) -> None:
    first, second = fleet.daemon(), fleet.daemon()
    for minutes, shown in ((4, 2), (6, 1)):
        fleet.tell(
            f"UPDATE worker SET expires_at = clock_timestamp() - INTERVAL '{minutes} minutes' WHERE id = {first.leases.worker}"
        )
        second.leases.beat(BOTH, {})
        assert len(second.leases.beat(BOTH, {}).fleet.workers) == shown


def test_a_daemon_of_the_same_name_that_goes_on_living_is_named_once(
    fleet: Fleet, caplog: pytest.LogCaptureFixture
) -> None:
    """Both are of this process, as two are of process 1 in containers with one host name."""
    own, other = fleet.daemon(), fleet.daemon()
    namesakes = Namesakes()
    for now in (0.0, 5.0, LEASE_TTL / SECOND):
        namesakes.follow(own.leases.worker, own.leases.beat(BOTH, {}).fleet, now)
    assert not caplog.messages, "it may have been killed a moment ago"
    for now in (60.0, 70.0):
        other.leases.beat(BOTH, {})
        namesakes.follow(own.leases.worker, own.leases.beat(BOTH, {}).fleet, now)
    [said] = caplog.messages
    assert f"another daemon on this store is {own.leases.name} too" in said


def test_a_worker_that_was_dead_for_long_is_forgotten_and_has_to_start_again(fleet: Fleet) -> None:
    first, second = fleet.daemon(), fleet.daemon()
    first.store.announce_rules({})
    fleet.tell(
        f"UPDATE worker SET expires_at = clock_timestamp() - INTERVAL '59 minutes' WHERE id = {first.leases.worker}"
    )
    old, _ = second.leases.beat(BOTH, {}).fleet.workers
    assert not old.lives
    assert [one.id for one in second.leases.beat(BOTH, {}).fleet.living] == [second.leases.worker]
    fleet.tell(
        f"UPDATE worker SET expires_at = clock_timestamp() - INTERVAL '61 minutes' WHERE id = {first.leases.worker}"
    )
    second.leases.beat(BOTH, {})
    assert len(second.leases.beat(BOTH, {}).fleet.workers) == 1
    with pytest.raises(StoreOutdated, match="no longer knows this daemon"):
        first.leases.beat(BOTH, {})
    assert first.leases.take(BOTH) == {}
    fleet.server.cut_sessions(fleet.address)
    for _ in range(2):
        with pytest.raises(StoreOutdated, match="no longer knows this daemon"):
            first.store.load()


def test_a_daemon_whose_number_another_one_has_ends(fleet: Fleet) -> None:
    """As after a standby took over that did not know of the first one."""
    first = fleet.daemon()
    number = first.leases.worker
    fleet.tell(f"UPDATE worker SET name = 'another' WHERE id = {number}")
    with pytest.raises(StoreOutdated):
        first.leases.beat(BOTH, {})
    with pytest.raises(StoreOutdated):
        first.store.commit(Commit(silences=[silence()]))


def test_each_worker_has_its_own_mark(fleet: Fleet) -> None:
    with linked(fleet.address) as link:
        first, second = fleet.daemon(link.address), fleet.daemon()
        first.take("main")
        second.take("other")
        first.store.commit(poll("main", 1))
        second.store.commit(poll("other", 1))
        link.cut_at_commit = "after"
        first.store.commit(poll("main", 2))
        second.store.commit(poll("other", 2))
        link.cut_at_commit = "before"
        with pytest.raises(StoreError, match="before the commit was made"):
            first.store.commit(poll("main", 3))
        second.store.commit(poll("other", 3))
        first.store.commit(poll("main", 3))
        assert polls_of(second.store, "main") == polls_of(first.store, "other") == [1, 2, 3]


def test_leases_come_back_after_a_lost_connection(fleet: Fleet) -> None:
    daemon = fleet.daemon()
    held = daemon.take("main")
    fleet.server.cut_sessions(fleet.address)
    with pytest.raises(StoreError, match="tries again"):
        daemon.leases.beat(["main"], held)
    assert daemon.leases.beat(["main"], held).fleet.holder_of("main") is not None
    daemon.store.commit(poll("main", 1))
    daemon.leases.close()
    with pytest.raises(StoreError, match="closed"):
        daemon.leases.beat(["main"], held)


def test_a_beat_does_not_wait_long_for_a_silent_server(fleet: Fleet) -> None:
    with linked(fleet.address) as link:
        daemon = fleet.daemon(link.address)
        held = daemon.take("main")
        link.silence()
        with pytest.raises(StoreUnreachable, match="no answer in time"):
            daemon.leases.beat(["main"], held)
        assert FOR_LEASES.answer + BEAT_EVERY < LEASE_DEADLINE
        link.speak()
        daemon.leases.beat(["main"], held)


def test_a_change_of_silences_or_acknowledgements_is_seen_by_all(fleet: Fleet) -> None:
    first, second = fleet.daemon(), fleet.daemon()
    for each in (first, second):
        each.store.hold({})
    revisions = [second.leases.beat(BOTH, {}).edits]
    for commit in (
        Commit(silences=[silence()]),
        Commit(acks=[ack()]),
        Commit(dropped_silences=["s1"], dropped_acks=["f1"]),
    ):
        first.store.commit(commit)
        revisions.append(second.leases.beat(BOTH, {}).edits)
        assert second.store.suppressions().revision == revisions[-1]
    assert revisions == [revisions[0] + number for number in range(4)]
    first.store.commit(Commit(durable=True))
    assert second.leases.beat(BOTH, {}).edits == revisions[-1]


def test_of_two_edits_that_are_decided_on_the_same_state_one_is_written(fleet: Fleet) -> None:
    both = [fleet.daemon(), fleet.daemon()]
    at_once = threading.Barrier(2, timeout=20)

    def edit(daemon: Daemon, number: int) -> bool:
        daemon.store.hold({})
        read = daemon.store.suppressions().revision
        at_once.wait()
        try:
            daemon.store.commit(Commit(acks=[ack(f"{daemon.leases.worker}/{number}")], decided_on=read))
        except DecidedTooLate:
            return False
        finally:
            at_once.wait()
        return True

    with ThreadPoolExecutor(2) as threads:
        for number in range(20):
            assert sorted(threads.map(edit, both, [number] * 2)) == [False, True]
    found = both[0].store.suppressions()
    assert (len(found.acks), found.revision) == (20, 20), "nothing of the other was written"


def test_a_beat_does_not_wait_for_a_dead_worker_whose_row_is_locked(fleet: Fleet) -> None:
    living, dead, other = fleet.daemon(), fleet.daemon(), fleet.daemon()
    fleet.tell(
        f"UPDATE worker SET expires_at = clock_timestamp() - INTERVAL '2 hours' WHERE id <> {living.leases.worker}"
    )
    with other.store._session.transaction(marked=False) as connection:
        connection.execute("SELECT 1 FROM worker WHERE id = %s FOR UPDATE", (dead.leases.worker,))
        living.leases.beat(BOTH, {})
        known = {one.id for one in living.leases.beat(BOTH, {}).fleet.workers}
        assert known == {living.leases.worker, dead.leases.worker}, "the other dead one is forgotten"
    living.leases.beat(BOTH, {})
    assert [one.id for one in living.leases.beat(BOTH, {}).fleet.workers] == [living.leases.worker]


def test_all_are_told_that_dead_letters_wait_again(fleet: Fleet) -> None:
    first, second = fleet.daemon(), fleet.daemon()
    held = first.take("main")
    first.store.commit(Commit(outbox=[Pending("slack/0", notification("k1"), "main")]))
    [row] = first.store.heads("ops", "slack/0", 9)
    first.store.rejected(row.id, "no such channel", NOW)
    before = first.leases.beat(BOTH, held).edits
    second.store.hold({})
    assert second.store.retry_dead().waiting == 1
    assert first.leases.beat(BOTH, held).edits == before + 1
    assert second.store.retry_dead().waiting == 0
    assert first.leases.beat(BOTH, held).edits == before + 1, "nothing was changed"


def test_rows_of_one_account_that_cannot_be_read_hinder_no_other(fleet: Fleet) -> None:
    first, second = fleet.daemon(), fleet.daemon()
    first.take(*BOTH)
    for account in BOTH:
        one = msgspec.structs.replace(alert(operator=account), account=account)
        first.store.commit(Commit(alerts=[one], acks=[ack(one.fingerprint)]))
        theirs = msgspec.structs.replace(group(), account=account)
        first.store.commit(Commit(cursors=[Cursor(account, "all", 1, 0)], groups=[theirs]))
    for table in ("alert", "cursor", "alert_group"):
        fleet.tell(f"UPDATE {table} SET data = '{{' WHERE account = 'main'")
    fleet.tell(
        "UPDATE acknowledgement SET data = '{' WHERE fingerprint IN (SELECT fingerprint FROM alert WHERE account = 'main')"
    )
    loaded = second.store.load(["other"])
    assert [one.account for one in (*loaded.alerts, *loaded.cursors, *loaded.groups)] == ["other"] * 3
    assert len(loaded.acks) == 1
    assert second.store.owners() == ["main", "other"], "who starts needs no more than the names"
    with pytest.raises(StoreError, match="cannot be read"):
        second.store.load(["main"])


@pytest.mark.parametrize(
    "written",
    [
        "UPDATE lease SET worker = 999, expires_at = 'infinity' WHERE account = 'main'",
        "UPDATE lease SET worker = 999, since = '-infinity', expires_at = NULL WHERE account = 'main'",
        "UPDATE worker SET expires_at = 'infinity', wanted = ARRAY[['main', 'x'], ['y', 'z']], left_alone = '{NULL}' WHERE id = 999",
        "UPDATE lease SET worker = 999, since = '294276-01-01', expires_at = NULL WHERE account = 'main'",
        "UPDATE lease SET worker = 999, since = '4000-01-01 BC', expires_at = '4000-01-01 BC' WHERE account = 'main'",
        "UPDATE worker SET since = '294276-01-01', expires_at = '294276-01-01' WHERE id = 999",
        "INSERT INTO rule_set (worker, host, seen_at, accounts, digests) VALUES (999, 'h', '294276-01-01', '{}', '{}')",
        "INSERT INTO rule_set (worker, host, seen_at, accounts, digests) VALUES (999, 'h', now(), '{{a,b},{c,d}}', '{{a},{b}}')",
        "INSERT INTO rule_set (worker, host, seen_at, accounts, digests) VALUES (999, 'h', now(), '{a,NULL,b}', '{NULL}')",
        f"UPDATE store_state SET suppressions = {(1 << 63) - 1}",
    ],
)
def test_strange_rows_of_leases_and_workers_hinder_nobody(fleet: Fleet, written: str) -> None:
    one = fleet.daemon()
    one.leases.beat(BOTH, {})
    fleet.tell("INSERT INTO worker (id, name, version, expires_at) VALUES (999, 'x', 'x', clock_timestamp())")
    fleet.tell(written)
    assert set(one.take(*BOTH)) == set(BOTH)
    view = one.leases.beat(BOTH, {})
    assert {lease.account for lease in view.fleet.leases} == set(BOTH)
    assert fleet_json(view.fleet, one.leases.worker, BOTH, as_of=view.now, now=view.now)
    assert all(rules.digests.keys() <= {"a", "b"} for rules in one.store.rules_of_others())
    one.store.commit(Commit(silences=[silence()], decided_on=one.store.suppressions().revision))
    assert one.store.suppressions().revision != view.edits


def test_the_tokens_of_a_lease_begin_again_after_the_largest(fleet: Fleet) -> None:
    one, two = fleet.daemon(), fleet.daemon()
    one.leases.beat(BOTH, {})
    fleet.tell(f"UPDATE lease SET token = {(1 << 63) - 2} WHERE account = 'main'")
    assert one.take(*BOTH) == {"main": (1 << 63) - 1, "other": 1}
    fleet.lapse("main")
    assert two.take(*BOTH) == {"main": 1}
    with pytest.raises(LeaseLost, match="main"):
        one.store.commit(poll("main", 1))
    two.store.commit(poll("main", 2))


def test_an_alert_of_a_version_that_did_not_write_its_account_is_found(fleet: Fleet) -> None:
    first, second = fleet.daemon(), fleet.daemon()
    first.take("main")
    first.store.commit(Commit(alerts=[alert()]))
    fleet.tell("UPDATE alert SET account = ''")
    assert second.store.load(["main"]).alerts == [alert()]
    assert (second.store.load(["other"]).alerts, second.store.owners()) == ([], ["main"])


def test_a_callback_reaches_the_daemon_that_holds_its_account(fleet: Fleet) -> None:
    first, second = fleet.daemon(), fleet.daemon()
    held = first.take("main")
    second.store.hold({})
    for body in (b"one", b"\0two"):
        second.store.forward_callback("main", body, NOW)
    second.store.forward_callback("other", b"x", NOW + 1)
    assert first.leases.beat(BOTH, held).callbacks_wait
    assert not second.leases.beat(BOTH, {}).callbacks_wait
    one, two = first.store.forwarded(["main"], 9)
    assert (one.account, one.received_at, one.body, two.body) == ("main", NOW, b"one", b"\0two")
    assert first.store.forwarded(held, 1) == [one]
    assert first.store.forwarded(held, 1, [one.id]) == [two]
    first.store.drop_forwarded([one.id, two.id])
    assert first.store.forwarded(held, 1) == []
    assert not first.leases.beat(BOTH, held).callbacks_wait
    assert first.store.prune(NOW + 1, 0) == 0
    assert first.store.prune(NOW + 2, 0) == 1, "an account that nobody has any more"


def test_callbacks_are_read_a_few_hundred_kilobytes_at_a_time(fleet: Fleet) -> None:
    daemon = fleet.daemon()
    held = daemon.take("main")
    for size in (1, 100_000, 100_000, 100_000, 1, 9_000_000, 1):
        daemon.store.forward_callback("main", bytes(size), NOW)
    read: list[list[int]] = []
    while found := daemon.store.forwarded(held, 1_000):
        read.append([len(one.body) for one in found])
        daemon.store.drop_forwarded([one.id for one in found])
    assert read == [[1, 100_000, 100_000, 100_000], [1, 9_000_000], [1]]


def test_who_needs_the_store_alone_is_refused_while_a_worker_lives_and_keeps_workers_out(fleet: Fleet) -> None:
    fleet.daemon()
    second = fleet.daemon()
    with pytest.raises(StoreError) as caught:
        open_postgresql(fleet.address, exclusive=True, limits=SHORT)
    assert str(caught.value).count(f"process {os.getpid()} on ") == 2
    fleet.opened.close()
    with closing(open_postgresql(fleet.address, exclusive=True, limits=SHORT)):
        with pytest.raises(StoreError, match=r"another daemon \(process \d+ on .* works on the store"):
            open_worker(fleet.address, limits=SHORT)
        with closing(open_postgresql(fleet.address, read_only=True)) as reader:
            assert reader.load().alerts == []
    with pytest.raises(StoreError, match="closed"):
        second.store.load()


def test_a_worker_that_lost_its_connection_waits_for_who_has_the_store_alone(fleet: Fleet) -> None:
    daemon = fleet.daemon()
    daemon.store.hold({})
    fleet.server.cut_sessions(fleet.address)
    with (
        closing(open_postgresql(fleet.address, exclusive=True, limits=SHORT)),
        pytest.raises(StoreError, match="another daemon"),
    ):
        daemon.store.load()
    daemon.store.commit(Commit(silences=[silence()]))


def exchanged(daemon: Daemon, **rules: str) -> dict[str, set[str]]:
    """Announces a daemon's rules, and returns those of the others."""
    daemon.store.announce_rules(rules)
    return heard(daemon)


def heard(daemon: Daemon) -> dict[str, set[str]]:
    """Returns by which rules the others judge each account."""
    found: dict[str, set[str]] = {}
    for other in daemon.store.rules_of_others():
        for account, digest in other.digests.items():
            found.setdefault(account, set()).add(digest)
    return found


def test_each_worker_hears_by_which_rules_the_others_judge_also_when_they_have_left(fleet: Fleet) -> None:
    first, second = fleet.daemon(), fleet.daemon()
    assert exchanged(second, main="new", other="same") == {}
    assert exchanged(first, main="old", other="same") == {"main": {"new"}, "other": {"same"}}
    assert exchanged(second, main="newest") == {"main": {"old"}, "other": {"same"}}
    assert heard(first) == {"main": {"newest"}}
    [living] = first.store.rules_of_others()
    assert (living.daemon, living.lives) == (f"{socket.gethostname()}:{os.getpid()}", True)
    second.leases.leave()
    assert exchanged(first, main="old") == {"main": {"newest"}}, "it may come back with them"
    [ended] = first.store.rules_of_others()
    assert (ended.daemon, ended.lives) == (socket.gethostname(), False)
    assert (ended.heard_at, ended.counts_until) == (living.heard_at, living.heard_at + HOUR)
    fleet.tell("UPDATE rule_set SET seen_at = seen_at - INTERVAL '61 minutes' WHERE digests = '{newest}'")
    assert exchanged(first, main="old") == {}
    assert exchanged(first) == {}


def test_a_daemon_that_is_started_takes_the_place_of_an_earlier_one_on_its_host(fleet: Fleet) -> None:
    earlier, elsewhere, beside = fleet.daemon(), fleet.daemon(), fleet.daemon()
    exchanged(earlier, main="before")
    exchanged(elsewhere, main="elsewhere")
    fleet.tell("UPDATE rule_set SET host = 'elsewhere' WHERE digests = '{elsewhere}'")
    exchanged(beside, main="beside")
    earlier.leases.leave()
    elsewhere.leases.leave()
    assert exchanged(beside, main="beside") == {"main": {"before", "elsewhere"}}, "it did not come later"
    beside.leases.leave()
    assert exchanged(fleet.daemon(), main="after") == {"main": {"elsewhere"}}


def test_of_several_on_one_host_a_daemon_takes_the_place_of_the_one_that_had_its_port(fleet: Fleet) -> None:
    ended = fleet.daemon(port=9465)
    exchanged(ended, main="new")
    ended.leases.leave()
    for port in (9466, 0):
        other = fleet.daemon(port=port)
        assert exchanged(other, main="old") == {"main": {"new"}}, "it may come back with them"
        known = [one.daemon for one in other.store.rules_of_others() if one.digests]
        assert known == [f"{socket.gethostname()} (port 9465)"]
        other.store.announce_rules({})
    assert heard(fleet.daemon()) == {"main": {"new"}}
    assert exchanged(fleet.daemon(port=9465), main="newer") == {}


def test_a_daemon_takes_the_place_of_one_on_its_host_whose_port_is_not_known(fleet: Fleet) -> None:
    ended = fleet.daemon()
    exchanged(ended, main="before")
    ended.leases.leave()
    assert exchanged(fleet.daemon(port=9465), main="after") == {}


@pytest.mark.parametrize(("port", "is_there"), [(9465, False), (9466, True), (0, True)])
def test_of_one_that_was_killed_nothing_is_left_once_it_was_started_again(
    fleet: Fleet, port: int, is_there: bool
) -> None:
    killed = fleet.daemon(port=9465)
    exchanged(killed, main="before")
    again = fleet.daemon(port=port)
    exchanged(again, main="before")
    assert len(again.leases.beat(["main"], {}).fleet.workers) == 2, "it may live"
    fleet.tell(f"UPDATE worker SET expires_at = clock_timestamp() - INTERVAL '1 s' WHERE id = {killed.leases.worker}")
    exchanged(again, main="before")
    assert [one.id == again.leases.worker for one in again.leases.beat(["main"], {}).fleet.workers] == (
        [False, True] if is_there else [True]
    )


def test_a_daemon_takes_the_place_of_none_that_worked_beside_it_and_has_left_since(fleet: Fleet) -> None:
    """It was heard of last before the other one started, since daemons announce their rules only every ten seconds."""
    earlier = fleet.daemon()
    exchanged(earlier, main="new")
    later = fleet.daemon()
    earlier.leases.leave()
    assert exchanged(later, main="old") == {"main": {"new"}}, "it may come back with them"
    fleet.daemon().leases.leave()
    assert exchanged(later, main="old") == {"main": {"new"}}
    back = fleet.daemon()
    assert exchanged(back, main="newer") == {"main": {"old"}}, "it is in its place"
    assert exchanged(later, main="old") == {"main": {"newer"}}


@pytest.mark.parametrize(("silent_for", "counts"), [("70 s", False), ("30 s", True)])
def test_a_daemon_that_died_counts_if_it_was_heard_of_since_this_one_started(
    fleet: Fleet, silent_for: str, counts: bool
) -> None:
    """Its last sign of life is 6 seconds before its row lapsed."""
    earlier, later = fleet.daemon(), fleet.daemon()
    exchanged(earlier, main="before")
    fleet.tell("UPDATE worker SET since = clock_timestamp() - INTERVAL '60 s' WHERE id = (SELECT max(id) FROM worker)")
    fleet.tell("UPDATE rule_set SET seen_at = clock_timestamp() - INTERVAL '75 s'")
    fleet.tell(
        f"UPDATE worker SET expires_at = clock_timestamp() - INTERVAL '{silent_for}' + INTERVAL '6 s' "
        "WHERE id = (SELECT min(id) FROM worker)"
    )
    assert exchanged(later, main="after") == ({"main": {"before"}} if counts else {})


def test_a_store_without_workers_tells_of_no_other_rules(postgresql: PostgresqlAddress) -> None:
    with closing(open_postgresql(postgresql)) as store:
        store.announce_rules({"main": "x"})
        assert store.rules_of_others() == []
