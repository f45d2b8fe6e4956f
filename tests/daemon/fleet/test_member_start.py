"""A daemon that cannot start is none that others share the store with."""

import functools
import io
import json
import socket
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
    insert = "INSERT INTO routee_monitor.alert (fingerprint, data) VALUES ('x', 'nonsense')"
    postgresql_server.administer(insert, database=postgresql.database)
    address = store_keys(postgresql)
    store = f"store: {address['store']}\nstore_password: {address['store_password']}\n"
    with pytest.raises(StoreError, match="cannot be read"):
        await daemon.run(settings("rules: []", CONFIG + store), Templates(), stop=trio.Event(), stream=io.StringIO())
    assert fleet_of(postgresql).workers == ()


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
