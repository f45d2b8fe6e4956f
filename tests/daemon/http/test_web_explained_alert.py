"""An alert's page, which explains the alert while nothing may change the messages."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio
from plain_client import Reply, exchange, parse, served

from monitor.config.monitor import Web
from monitor.daemon.alert_actions import MOST_EXPLANATIONS_WAITING, AlertActions
from monitor.daemon.http.fair_queue import MOST_WAITING
from monitor.daemon.http.reloadable_app import ReloadableApp
from tests.fakes.daemon_reading import Reading
from tests.fakes.waiting import guarded, until


class Asking:
    """A daemon with one firing alert, and clients that ask for its page."""

    def __init__(self, reading: Reading, url: str, nursery: trio.Nursery) -> None:
        self.pipeline = reading.harness.pipeline
        self.replies = list[Reply]()
        self._url, self._nursery = url, nursery
        [self._alert] = self.pipeline.every_alert()

    def ask(self, times: int = 1, under: str = "") -> None:
        for _ in range(times):
            self._nursery.start_soon(self._ask, f"{under}/alerts/{self._alert.fingerprint}")

    async def explain(self) -> None:
        await AlertActions(self.pipeline).explained(self._alert.fingerprint)

    async def _ask(self, path: str) -> None:
        head = f"GET {path} HTTP/1.0\r\nHost: localhost\r\nAccept: text/html\r\n\r\n"
        self.replies.append(parse(await exchange(self._url, head.encode())))


@asynccontextmanager
async def asking(path: Path) -> AsyncIterator[Asking]:
    reading = Reading(path)
    await reading.fail()
    harness = reading.harness
    app = ReloadableApp(Web(), harness.settings.config, harness.pipeline, harness.front, reading.reader)
    with guarded():
        async with served(app) as url, trio.open_nursery() as nursery:
            yield Asking(reading, url, nursery)


async def test_it_is_explained_once(tmp_path: Path) -> None:
    async with asking(tmp_path / "store.db") as daemon:
        windows = daemon.pipeline.windows
        async with windows:
            daemon.ask()
            await until(lambda: windows.statistics().tasks_waiting, "the page to ask for the explanation")
        async with windows:  # after the explanation
            await until(lambda: daemon.replies, "the page")
    assert daemon.replies[0].status == 200
    assert b"Cosmote" in daemon.replies[0].body
    assert b"fired" in daemon.replies[0].body, "what is known of its past"


async def test_of_a_crowd_that_asks_for_it_many_are_told_to_come_back(tmp_path: Path) -> None:
    crowd = 3 * MOST_WAITING
    async with asking(tmp_path / "store.db") as daemon, daemon.pipeline.windows:
        daemon.ask(crowd)
        await until(lambda: len(daemon.replies) == crowd - MOST_WAITING - 1, "the others to be turned away")
        assert {(one.status, one.headers["retry-after"]) for one in daemon.replies} == {(503, "1")}
        assert daemon.pipeline.windows.statistics().tasks_waiting == 1
    assert [one.status for one in daemon.replies].count(200) == MOST_WAITING + 1


async def test_too_many_explanations_are_an_answer_that_says_when_to_ask_again(tmp_path: Path) -> None:
    """Whoever else asks for them: nobody waits without a bound."""
    async with asking(tmp_path / "store.db") as daemon, trio.open_nursery() as others, daemon.pipeline.windows:
        for _ in range(MOST_EXPLANATIONS_WAITING + 1):
            others.start_soon(daemon.explain)
        waiting = daemon.pipeline.explaining.statistics
        await until(lambda: waiting().tasks_waiting == MOST_EXPLANATIONS_WAITING, "a crowd")
        for under in ("", "/api/v1"):
            daemon.ask(under=under)
        await until(lambda: len(daemon.replies) == 2, "the answers")
    assert [(one.status, one.headers["retry-after"]) for one in daemon.replies] == [(503, "5")] * 2
