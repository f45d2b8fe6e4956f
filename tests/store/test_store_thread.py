"""The store's front for trio tasks."""

import threading
from contextlib import closing
from pathlib import Path

import pytest
import trio

from monitor.runtime.errors import StoreError
from monitor.runtime.pieces import Work
from monitor.store.async_store import AsyncStore
from monitor.store.protocol import Commit, Pending, Store
from monitor.store.sqlite import open_sqlite
from tests.store.store_samples import cursor, notification


async def test_calls_run_one_at_a_time_outside_the_event_loop(tmp_path: Path) -> None:
    with closing(open_sqlite(tmp_path / "monitor.db")) as store:
        front, inside, most, threads = AsyncStore(store), 0, 0, set()

        def call(store: Store) -> None:
            nonlocal inside, most
            inside += 1
            most = max(most, inside)
            threads.add(threading.get_ident())
            store.counts()
            inside -= 1

        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(front.run, call)
        assert most == 1
        assert threading.get_ident() not in threads


async def test_every_call_of_the_daemon_goes_through(tmp_path: Path) -> None:
    front = AsyncStore(open_sqlite(tmp_path / "monitor.db"))
    [sequence] = await front.commit(
        Commit(
            journal=[("main", b"x")],
            cursors=[cursor()],
            outbox=[Pending("slack/0", notification(key)) for key in ("k1", "k2", "k3")],
        )
    )
    assert await front.run(lambda store: list(store.journal("main"))) == [(sequence, b"x")]
    assert (await front.load()).cursors == [cursor()]
    assert (await front.texts_page("main"), await front.transitions(), await front.quarantined()) == ([], [], [])
    [head] = await front.heads("ops", "slack/0", 5)
    assert await front.successor(head.id) == "k2"
    await front.postponed(head.id, "503", 1)
    await front.sent(head.id, {"ts": "1"}, 2)
    await front.rejected(head.id + 1, "never", 2)
    assert await front.receipt("ops", "slack/0", "e1") == {"ts": "1"}
    assert [outbox_row.state for outbox_row in await front.outbox_rows()] == ["waiting", "dead", "sent"]
    assert [one.outcome for one in await front.history()] == ["waiting", "dead", "sent"]
    assert (await front.backlog())["ops", "slack/0"][0] == 1
    await front.prune(3, 3)
    assert (await front.counts())["dead"] == 0
    assert len(await front.secret("recipients")) == 32
    await front.close()
    with pytest.raises(StoreError, match="closed"):
        await front.load()


async def test_work_on_what_was_read_does_not_keep_the_store_from_others(tmp_path: Path) -> None:
    with closing(open_sqlite(tmp_path / "monitor.db")) as store:
        front, begun, stored = AsyncStore(store), trio.Event(), threading.Event()

        def build() -> None:
            trio.from_thread.run_sync(begun.set)
            assert stored.wait(60)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(front.work, build)
            await begun.wait()
            await front.commit(Commit(journal=[("main", b"x")]))
            stored.set()


async def test_work_in_pieces_ends_after_the_present_piece_once_its_task_is_cancelled(tmp_path: Path) -> None:
    with closing(open_sqlite(tmp_path / "monitor.db")) as store:
        front, done = AsyncStore(store), list[str]()
        with trio.CancelScope() as scope:

            def build() -> Work[str]:
                done.append("first")
                yield
                trio.from_thread.run_sync(scope.cancel)
                done.append("second")
                yield
                done.append("third")
                return "whole"

            await front.work_in_pieces(build())
        assert (scope.cancelled_caught, done) == (True, ["first", "second"])


async def test_work_in_pieces_returns_its_result(tmp_path: Path) -> None:
    def build() -> Work[str]:
        yield
        return "whole"

    with closing(open_sqlite(tmp_path / "monitor.db")) as store:
        assert await AsyncStore(store).work_in_pieces(build()) == "whole"


async def test_a_call_that_has_begun_is_finished_although_its_task_is_cancelled(tmp_path: Path) -> None:
    with closing(open_sqlite(tmp_path / "monitor.db")) as store:
        front, begun = AsyncStore(store), threading.Event()
        with trio.CancelScope() as scope:

            def write(store: Store) -> list[int]:
                begun.set()
                trio.from_thread.run_sync(scope.cancel)
                return store.commit(Commit(journal=[("main", b"x")]))

            assert await front.run(write) == [1]
        assert begun.is_set()
        assert list(store.journal("main")) == [(1, b"x")]
