"""`deliver` against the API of a pipeline with a real store."""

import json
from contextlib import asynccontextmanager, closing
from functools import partial
from typing import Any

import pytest
import trio
from cli_folder import Folder

from monitor.daemon.delivery_actions import DeliveryActions
from monitor.daemon.health import Health
from monitor.daemon.http.app import make_app
from monitor.daemon.http.read_api import ReadApi
from monitor.daemon.http.server import serve
from monitor.daemon.metrics import Metrics
from monitor.daemon.read.daemon_reader import DaemonReader
from monitor.store.postgresql import open_postgresql
from monitor.store.protocol import Commit, Pending
from monitor.store.sql_store import SqlStore
from monitor.store.sqlite import open_sqlite
from tests.fakes.hand_clock import HandClock
from tests.fakes.pipeline_harness import PipelineHarness
from tests.fakes.written import settings
from tests.store.store_samples import NOW, notification

TOKEN = "a-token-for-changes"


@pytest.fixture
def store(tmp_path) -> Any:
    made = open_sqlite(tmp_path / "dead.db")
    yield made
    made.close()


def refuse(store: SqlStore, *receivers: str, why: str = "channel_not_found") -> list[int]:
    """Writes a dead letter for each of the receivers; returns their ids."""
    pending = [
        Pending("slack/0", notification(f"k{number}", episode=f"e{number}", receiver=name))
        for number, name in enumerate(receivers)
    ]
    store.commit(Commit(outbox=pending))
    rows = store.outbox_rows("waiting", 10_000)
    for row in rows:
        store.rejected(row.id, why, NOW)
    return sorted(row.id for row in rows)


@asynccontextmanager
async def listening(store: SqlStore, folder: Folder):
    """Gives what runs a command on a listener over that store, with the token of the folder's configuration."""
    folder.replace(folder.config, 'web: {listen: "127.0.0.1:0"}', f'web: {{listen: "127.0.0.1:0", token: {TOKEN}}}')
    harness = PipelineHarness(settings("rules: []\n"), HandClock(), store)
    reader = DaemonReader(harness.pipeline, harness.front, lambda: harness.settings)
    api = ReadApi(reader, DeliveryActions(harness.front, harness.pipeline.services), TOKEN)
    app, stop = make_app(Health(), Metrics(HandClock()), token=TOKEN, apis=api.routes()), trio.Event()
    async with trio.open_nursery() as nursery:
        url = await nursery.start(partial(serve, app, "127.0.0.1:0", stop=stop))

        async def invoke(command: str, *arguments: str) -> Any:
            return await trio.to_thread.run_sync(partial(folder.invoke, "deliver", command, "--url", url, *arguments))

        yield invoke
        stop.set()


async def test_dead_letters_are_listed_with_their_reason(store, folder):
    ids = refuse(store, "ops", "ops", "oncall", why="channel_not_found: see \x1b]0;owned\x07")
    async with listening(store, folder) as invoke:
        shown = await invoke("list")
        some = await invoke("list", "--receiver", "oncall", "--json")
        first = await invoke("list", "--limit", "2")
        none = await invoke("list", "--receiver", "nobody")
    assert shown.exit_code == 0
    assert all(str(one) in shown.stdout for one in ids)
    assert "OperatorFailureRate" in shown.stdout
    assert "channel_not_found" in shown.stdout
    assert "\x1b]0" not in shown.stdout
    assert [one["receiver"] for one in json.loads(some.stdout)] == ["oncall"]
    assert "and 1 more: --limit 3 shows them" in first.stdout
    assert (none.exit_code, none.stdout) == (0, "No dead letters.\n")


async def test_more_than_a_page_of_them_are_listed(store, folder):
    refuse(store, *["ops"] * 450)
    async with listening(store, folder) as invoke:
        found = json.loads((await invoke("list", "--limit", "430", "--json")).stdout)
    assert len({one["id"] for one in found}) == 430


async def test_they_are_sent_again_by_id_by_receiver_or_all(store, folder):
    ids = refuse(store, "ops", "oncall", "ops", "other")
    async with listening(store, folder) as invoke:
        one = await invoke("retry", str(ids[0]), "999")
        assert (one.exit_code, one.stdout) == (0, "1 notification waits to be sent again.\n")
        assert "999 is not a dead letter" in one.stderr
        assert [row.id for row in store.outbox_rows("waiting")] == [ids[0]]
        some = await invoke("retry", "--receiver", "ops", "--json")
        assert json.loads(some.stdout) == {"waiting": 1, "superseded": 0, "unreadable": 0}
        rest = await invoke("retry", "--all")
        assert rest.stdout == "2 notifications wait to be sent again.\n"
        nothing = await invoke("retry", "--all")
        assert (nothing.exit_code, "there are no dead letters" in nothing.stderr) == (1, True)
        known = await invoke("retry", str(ids[0]))
        assert (known.exit_code, "is not a dead letter" in known.stderr) == (1, True)
    assert store.outbox_rows("dead") == []


async def test_those_that_something_newer_has_replaced_are_left_out_and_counted(store, folder):
    store.commit(
        Commit(
            outbox=[
                Pending("slack/0", notification("old", episode="e")),
                Pending("slack/0", notification("new", episode="e")),
            ]
        )
    )
    old = min(row.id for row in store.outbox_rows("waiting"))
    store.rejected(old, "channel_not_found", NOW)
    async with listening(store, folder) as invoke:
        answer = await invoke("retry", "--all")
    assert (answer.exit_code, answer.stdout) == (0, "1 is left out: a newer one has taken its place.\n")


async def test_one_that_cannot_be_read_is_not_sent_again_and_that_is_said(postgresql, postgresql_server, folder):
    with closing(open_postgresql(postgresql)) as store:
        unreadable, _ = refuse(store, "ops", "ops")
        postgresql_server.administer(
            f"UPDATE routee_monitor.parcel SET notification = '{{}}', error = 'it cannot be read: x' WHERE id = {unreadable}",
            database=postgresql.database,
        )
        async with listening(store, folder) as invoke:
            listed = await invoke("list")
            both = await invoke("retry", "--all")
            again = await invoke("retry", "--all")
            alone = await invoke("retry", str(unreadable), "--json")
            left = await invoke("list")
    why = "unreadable in the store; the daemon's log says why"
    assert (listed.exit_code, listed.stdout.count("channel_not_found")) == (0, 1)
    assert listed.stdout.endswith(f"1 cannot be shown: {why}\n")
    assert (both.exit_code, both.stdout) == (
        0,
        f"1 notification waits to be sent again.\n1 cannot be sent: {why}.\n",
    )
    assert (again.exit_code, again.stdout) == (1, f"1 cannot be sent: {why}.\n")
    assert (alone.exit_code, json.loads(alone.stdout)) == (1, {"waiting": 0, "superseded": 0, "unreadable": 1})
    assert left.stdout == f"1 cannot be shown: {why}\n"


async def test_those_behind_unreadable_ones_are_listed(postgresql, postgresql_server, folder):
    with closing(open_postgresql(postgresql)) as store:
        ids = refuse(store, *["ops"] * 12)
        postgresql_server.administer(
            f"UPDATE routee_monitor.parcel SET notification = '{{}}', error = 'it cannot be read: x' WHERE id >= {ids[6]}",
            database=postgresql.database,
        )
        async with listening(store, folder) as invoke:
            every = await invoke("list")
            some = await invoke("list", "--limit", "4")
    why = "unreadable in the store; the daemon's log says why"
    assert (every.stdout.count("channel_not_found"), every.stdout.splitlines()[-1]) == (6, f"6 cannot be shown: {why}")
    assert some.stdout.count("channel_not_found") == 4
    assert some.stdout.splitlines()[-2:] == [f"6 cannot be shown: {why}", "and 2 more: --limit 6 shows them"]


@pytest.mark.parametrize("arguments", [(), ("1", "--all"), ("--all", "--receiver", "ops"), ("zero",), ("-1",), ("0",)])
async def test_what_to_send_again_is_named_in_one_way(folder, arguments):
    answer = await trio.to_thread.run_sync(partial(folder.invoke, "deliver", "retry", *arguments))
    assert answer.exit_code == 2


async def test_without_a_daemon_or_its_token_nothing_is_sent_again(store, folder):
    ids = refuse(store, "ops")
    async with listening(store, folder) as invoke:
        folder.replace(folder.config, TOKEN, "another-token-of-mine")
        refused = await invoke("retry", str(ids[0]))
    assert (refused.exit_code, "token" in refused.stderr) == (1, True)
    gone = await trio.to_thread.run_sync(partial(folder.invoke, "deliver", "list", "--url", "http://127.0.0.1:9"))
    assert gone.exit_code == 69
    assert len(store.outbox_rows("dead")) == 1
