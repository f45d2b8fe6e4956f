"""A daemon that starts and takes several accounts on a PostgreSQL, one of which takes long to be read."""

import io
import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio

from monitor.config.settings import load
from monitor.daemon.fleet.adoption import SMALL
from monitor.daemon.runtime_config import RuntimeConfig
from monitor.daemon.validate import SettingsWithTemplates
from monitor.daemon.wiring import Daemon
from monitor.notify.render import Templates
from monitor.runtime.clock import TrioClock
from monitor.runtime.postgresql_address import PostgresqlAddress
from monitor.runtime.sd_notify import Systemd
from monitor.store.async_store import AsyncStore
from monitor.store.postgresql import open_worker
from monitor.store.protocol import BEFORE_ALL_TEXTS, Store, Texts
from monitor.store.sqlite import open_sqlite
from tests.fakes.listener import ask
from tests.fakes.postgresql import store_keys
from tests.fakes.routee import APPLICATION_ID, APPLICATION_SECRET, START, LocalRoutee, local_routee
from tests.fakes.service_manager import Manager
from tests.fakes.waiting import GUARD, guarded, until

CONFIG = """
accounts:
  - {{name: large, application_id: "{id}", application_secret: "{secret}", api_url: "{url}", auth_url: "{url}", requests_per_second: 100}}
  - {{name: small, application_id: "{id}", application_secret: "{small}", api_url: "{url}", auth_url: "{url}", requests_per_second: 100}}
searches: [{{name: all, account: large, every: 20s}}, {{name: all, account: small, every: 20s}}]
rules: [rules.yaml]
store: "{store}"
store_password: "{password}"
receivers: [{{name: ops, console: [{{}}]}}]
route: {{receiver: ops}}
web: {{listen: "127.0.0.1:0"}}
"""


class SlowStore(AsyncStore):
    """The account ``large`` is as large as its name says, and is read once ``go`` is set."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.go, self.reading = trio.Event(), trio.Event()

    async def journal_sizes(self, accounts: Sequence[str]) -> dict[str, int]:
        return await super().journal_sizes(accounts) | {one: SMALL + 1 for one in accounts if one == "large"}

    async def texts_page(self, account: str, after: tuple[str, int] = BEFORE_ALL_TEXTS) -> list[Texts]:
        if account == "large":
            self.reading.set()
            await self.go.wait()
        return await super().texts_page(account, after)


@dataclass(frozen=True)
class Starting:
    """A daemon that starts, its store, and its Routee."""

    daemon: Daemon
    store: SlowStore
    routee: LocalRoutee
    stop: trio.Event
    ended: trio.Event


@asynccontextmanager
async def starting(
    folder: Path, postgresql: PostgresqlAddress, secret: str, systemd: Systemd | None = None
) -> AsyncIterator[Starting]:
    """A daemon that still reads the account ``large``; its ``small`` one has ``secret``."""
    clock, stop = TrioClock(START, speed=60), trio.Event()
    (folder / "rules.yaml").write_text("rules: []")
    with closing(open_worker(postgresql)) as opened:
        async with local_routee(clock) as routee, trio.open_nursery() as nursery:
            keys = store_keys(postgresql)
            text = CONFIG.format(
                url=routee.url,
                id=APPLICATION_ID,
                secret=APPLICATION_SECRET,
                small=secret,
                store=keys["store"],
                password=keys["store_password"],
            )
            (folder / "monitor.yaml").write_text(text)
            settings = SettingsWithTemplates(load(folder / "monitor.yaml", {}), Templates())
            store = SlowStore(opened)
            daemon = Daemon(RuntimeConfig.first(settings, clock, io.StringIO()), store, clock, None)
            ended = trio.Event()

            async def run() -> None:
                await daemon.run(systemd or Systemd(), None, stop, trio.TASK_STATUS_IGNORED)
                ended.set()

            nursery.start_soon(run)
            yield Starting(daemon, store, routee, stop, ended)
            store.go.set()
            stop.set()


async def test_who_tried_in_vain_is_named_also_while_another_account_is_still_read(
    tmp_path: Path, postgresql: PostgresqlAddress, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "monitor")
    async with starting(tmp_path, postgresql, "wrong") as one:
        await until(lambda: any("MonitorBlind fired" in line for line in caplog.messages), "MonitorBlind")
        [url] = [line.split()[-1] for line in caplog.messages if line.startswith("listening on")]
        answer = await ask(url, "/api/v2/alerts")
        assert not one.daemon.has_begun
        assert f"(tried by {socket.gethostname()}:{os.getpid()})" in answer.body


async def test_an_account_is_polled_while_another_one_is_still_read_and_the_daemon_is_ready_after_both(
    tmp_path: Path, postgresql: PostgresqlAddress, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "monitor")
    async with starting(tmp_path, postgresql, APPLICATION_SECRET) as one:
        await until(lambda: one.routee.requests() > 1, "the small account to be polled, more than once")
        [url] = [line.split()[-1] for line in caplog.messages if line.startswith("listening on")]
        answer = await ask(url, "/readyz")
        assert answer.status == 503
        assert "The daemon is starting" in answer.body
        assert not one.daemon.has_begun
        one.store.go.set()
        with trio.fail_after(GUARD):
            while (await ask(url, "/readyz")).status != 200:
                await trio.sleep(0.05)
        assert one.daemon.has_begun


async def test_a_daemon_that_is_stopped_while_it_still_starts_does_not_say_that_it_is_ready(
    tmp_path: Path, postgresql: PostgresqlAddress, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "monitor")
    with closing(Manager(str(tmp_path / "notify"))) as manager:
        systemd = Systemd(str(tmp_path / "notify"))
        async with starting(tmp_path, postgresql, APPLICATION_SECRET, systemd) as one:
            await until(lambda: one.routee.requests() > 1, "the small account to be polled")
            one.stop.set()
            with guarded():
                await one.ended.wait()
        heard = [line for line in manager.heard_so_far() if line.endswith("=1") and not line.startswith("WATCHDOG")]
        assert heard == ["STOPPING=1"]
    assert not any(line.startswith("watching") for line in caplog.messages)
    assert caplog.messages[-1] == "stopped"


async def test_a_daemon_that_is_stopped_while_it_still_reads_its_only_store_ends_at_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "monitor")
    (tmp_path / "rules.yaml").write_text("rules: []")
    text = CONFIG.format(
        url="http://127.0.0.1:9", id="id", secret="s", small="s", store="sqlite:monitor.db", password=""
    )
    (tmp_path / "monitor.yaml").write_text(text.replace('store_password: ""\n', ""))
    clock, stop = TrioClock(START), trio.Event()
    with (
        closing(Manager(str(tmp_path / "notify"))) as manager,
        closing(open_sqlite(tmp_path / "monitor.db")) as opened,
    ):
        settings = SettingsWithTemplates(load(tmp_path / "monitor.yaml", {}), Templates())
        store = SlowStore(opened)
        daemon = Daemon(RuntimeConfig.first(settings, clock, io.StringIO()), store, clock, None)
        with guarded():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(daemon.run, Systemd(str(tmp_path / "notify")), None, stop, trio.TASK_STATUS_IGNORED)
                await store.reading.wait()
                stop.set()
        assert manager.heard_so_far() == ["STOPPING=1", "STATUS=draining"]
    assert caplog.messages == ["stopping", "stopped"]
