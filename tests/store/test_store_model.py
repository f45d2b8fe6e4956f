"""The outbox and the journal against plain lists, whatever the order of calls."""

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from monitor.runtime.postgresql_address import PostgresqlAddress
from monitor.store.postgresql import open_postgresql
from monitor.store.protocol import Commit, Pending
from monitor.store.sql_store import SqlStore
from monitor.store.sqlite import open_sqlite
from tests.fakes.postgresql import PostgresqlServer
from tests.fakes.rounds import rounds
from tests.store.store_samples import NOW, keys, notification

EPISODES = st.sampled_from("abc")


class AgainstLists(RuleBasedStateMachine):
    """``rows`` are [key, episode, state, next_at, receipt] in the order of writing; ``blobs`` the journal by sequence number."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.rows: list[list[object]] = []
        self.blobs: dict[int, bytes] = {}
        self.store: SqlStore

    @initialize()
    def open(self) -> None:
        self.store = open_sqlite(Path(self.folder.name) / "monitor.db")

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    @rule()
    def restart(self) -> None:
        self.store.close()
        self.open()

    @rule(episodes=st.lists(EPISODES, max_size=4), blob=st.binary(max_size=10), again=st.booleans())
    def commit(self, episodes: list[str], blob: bytes, again: bool) -> None:
        new = [(f"k{len(self.rows) + i}", episode) for i, episode in enumerate(episodes)]
        outbox = [Pending("slack/0", notification(key, episode)) for key, episode in new]
        [sequence] = self.store.commit(Commit(journal=[("main", blob)], outbox=outbox * (1 + again)))
        self.blobs[sequence] = blob
        self.rows += [[key, episode, "waiting", 0, None] for key, episode in new]

    @precondition(lambda self: self.blobs)
    @rule(data=st.data())
    def clean(self, data: st.DataObject) -> None:
        sequence = data.draw(st.sampled_from(sorted(self.blobs)))
        self.store.commit(Commit(cleaned=[("main", sequence)]))
        del self.blobs[sequence]

    @precondition(lambda self: self.rows)
    @rule(data=st.data(), fate=st.sampled_from(["sent", "dead", "waiting"]), at=st.integers(1, 1_000))
    def decide(self, data: st.DataObject, fate: str, at: int) -> None:
        number = data.draw(st.integers(0, len(self.rows) - 1))
        row, outbox_row = (
            self.rows[number],
            sorted(self.store.outbox_rows(limit=1_000), key=lambda one: one.id)[number].id,
        )
        waits = row[2] == "waiting"
        match fate:
            case "sent":
                self.store.sent(outbox_row, {"ts": str(at)}, NOW)
            case "dead":
                self.store.rejected(outbox_row, "never", NOW)
            case _:
                self.store.postponed(outbox_row, "later", at)
        if waits:
            row[2:] = [fate, at if fate == "waiting" else row[3], {"ts": str(at)} if fate == "sent" else None]

    @invariant()
    def agrees(self) -> None:
        assert dict(self.store.journal("main")) == self.blobs
        waiting = [row for row in self.rows if row[2] == "waiting"]
        assert keys(self.store.waiting("ops", "slack/0", 1_000)) == [row[0] for row in waiting]
        firsts = {row[1]: row for row in reversed(waiting)}.values()
        heads = sorted((row[3], self.rows.index(row), row[0]) for row in firsts)
        assert keys(self.store.heads("ops", "slack/0", 1_000)) == [key for *_, key in heads]
        for episode in "abc":
            receipts = [row[4] for row in self.rows if row[1] == episode and row[2] == "sent"]
            assert self.store.receipt("ops", "slack/0", episode) == (receipts[-1] if receipts else None)
        assert self.store.backlog().get(("ops", "slack/0"), (0, 0))[0] == len(waiting)


AgainstLists.TestCase.settings = settings(max_examples=rounds(40, else_=16), stateful_step_count=20, deadline=None)
TestAgainstLists = AgainstLists.TestCase


def test_the_same_on_postgresql(postgresql: PostgresqlAddress, postgresql_server: PostgresqlServer) -> None:
    class OnPostgresql(AgainstLists):
        @initialize()
        def open(self) -> None:
            self.store = open_postgresql(postgresql)

        def teardown(self) -> None:
            super().teardown()
            postgresql_server.administer("DROP SCHEMA routee_monitor CASCADE", database=postgresql.database)

    run_state_machine_as_test(
        OnPostgresql, settings=settings(max_examples=rounds(12, else_=5), stateful_step_count=20, deadline=None)
    )
