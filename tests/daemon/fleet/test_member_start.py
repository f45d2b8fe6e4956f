"""A daemon that cannot start is none that others share the store with."""

import functools
import io
import json
import socket
from contextlib import closing
from pathlib import Path

import pytest
import trio

from monitor.daemon import main as daemon
from monitor.daemon.validate import load
from monitor.notify.render import Templates
from monitor.runtime.errors import ListenError, StoreError
from monitor.runtime.postgresql_address import PostgresqlAddress
from monitor.store.open import fleet_of
from monitor.store.postgresql import open_postgresql
from tests.fakes.postgresql import PostgresqlServer, store_keys
from tests.fakes.written import CONFIG, settings


async def test_who_cannot_read_the_store_is_not_shown_as_a_dead_daemon(
    postgresql: PostgresqlAddress, postgresql_server: PostgresqlServer
) -> None:
    open_postgresql(postgresql).close()
    postgresql_server.administer("DROP TABLE routee_monitor.silence", database=postgresql.database)
    address = store_keys(postgresql)
    store = f"store: {address['store']}\nstore_password: {address['store_password']}\n"
    with pytest.raises(StoreError, match="silence"):
        await daemon.run(settings("rules: []", CONFIG + store), Templates(), stop=trio.Event(), stream=io.StringIO())
    assert fleet_of(postgresql).workers == ()


async def test_an_alert_that_cannot_be_read_and_is_no_accounts_is_set_aside_and_said_at_the_start(
    postgresql: PostgresqlAddress, postgresql_server: PostgresqlServer, caplog: pytest.LogCaptureFixture
) -> None:
    open_postgresql(postgresql).close()
    insert = "INSERT INTO routee_monitor.alert (fingerprint, data) VALUES ('x', 'nonsense')"
    postgresql_server.administer(insert, database=postgresql.database)
    address, stop = store_keys(postgresql), trio.Event()
    store = f"store: {address['store']}\nstore_password: {address['store_password']}\n"
    run = functools.partial(
        daemon.run, settings("rules: []", CONFIG + store), Templates(), stop=stop, stream=io.StringIO()
    )
    said = "The stored alert x was set aside, and counts as firing for an hour"
    async with trio.open_nursery() as nursery:
        running: daemon.Running = await nursery.start(run)
        [warning] = [one for one in running.pipeline.services.health.warnings() if one.startswith(said)]
        assert "malformed" in warning
        stop.set()
    assert any(one.startswith(said) for one in caplog.messages)
    with closing(open_postgresql(postgresql, read_only=True)) as kept:
        [one] = kept.quarantined()
        assert (one.account, one.search, one.record) == ("", "alerts", "nonsense")
        assert kept.counts()["quarantined"] == 1
        assert kept.load().unusable_alerts == []


async def test_who_cannot_listen_is_not_shown_as_a_dead_daemon(tmp_path: Path, postgresql: PostgresqlAddress) -> None:
    account = {"name": "main", "application_id": "id", "application_secret": "secret"}
    (tmp_path / "rules.yaml").write_text("rules: []")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        config = {
            "accounts": [account],
            "searches": [{"name": "all"}],
            "rules": ["rules.yaml"],
            "receivers": [{"name": "ops", "console": [{}]}],
            "route": {"receiver": "ops"},
            "web": {"listen": f"127.0.0.1:{taken.getsockname()[1]}"},
        }
        (tmp_path / "monitor.yaml").write_text(json.dumps(config | store_keys(postgresql)))
        loaded = load(tmp_path / "monitor.yaml", {})
        run = functools.partial(daemon.run, loaded.settings, loaded.templates, stop=trio.Event(), stream=io.StringIO())
        with pytest.raises(ExceptionGroup) as failed:
            await run()
    assert failed.group_contains(ListenError)
    assert fleet_of(postgresql).workers == ()
