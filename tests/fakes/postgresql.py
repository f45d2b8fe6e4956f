"""A real PostgreSQL on loopback, in a folder of its own, as an unprivileged user; with tests' databases in it."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from monitor.runtime.postgresql_address import PostgresqlAddress
from tests.fakes.patience import until

PASSWORD = "a-test-password"
SETTINGS = """
listen_addresses = '127.0.0.1'
fsync = off
max_connections = 30
shared_buffers = 16MB
autovacuum = off
log_min_messages = fatal
"""
ADMINISTRATOR = "admin"
OWNER = "monitor"
"""Owns the tests' databases, and is no administrator."""


def programs() -> Path | None:
    """The folder of initdb and postgres, the newest version; None if PostgreSQL is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    named = shutil.which("initdb")
    path = found[-1] if found else Path(named).resolve() if named else None
    return path.parent if path is not None and (path.parent / "postgres").exists() else None


def unprivileged() -> dict[str, Any]:
    """Arguments of subprocess for a user who may run PostgreSQL, which refuses root."""
    if os.getuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


class PostgresqlServer:
    """One server. ``stop``, ``start`` and ``freeze`` are what tests do to it."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries, self.folder, self.port = binaries, folder, free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = count(1)

    def create(self) -> None:
        """Makes the cluster; passwords are asked for."""
        (self.folder / "password").write_text(PASSWORD)
        for path in (self.folder, self.folder / "password"):
            if owner := unprivileged():
                os.chown(path, owner["user"], owner["group"])
        options = ["--no-sync", "--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", f"--username={ADMINISTRATOR}"]
        subprocess.run(
            [self._binaries / "initdb", *options, f"--pwfile={self.folder / 'password'}", "-D", self.folder / "data"],
            check=True,
            capture_output=True,
            cwd=self.folder,
            timeout=100,
            **unprivileged(),
        )
        with (self.folder / "data" / "postgresql.conf").open("a") as file:
            file.write(f"{SETTINGS}\nport = {self.port}\nunix_socket_directories = '{self.folder}'\n")

    def start(self) -> None:
        """Starts it, and waits until it lets people in."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", "-D", self.folder / "data"], stdout=log, stderr=log, **unprivileged()
            )
        until(self._answers, "PostgreSQL to start")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stops it: SIGINT cuts all connections, SIGQUIT is a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(60)
            self._process = None

    def administer(self, *statements: str, database: str = "postgres") -> list[Any]:
        """Runs statements as the administrator. Returns the rows of the last one."""
        with psycopg.connect(self._dsn(ADMINISTRATOR, database), autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def database(self) -> PostgresqlAddress:
        """A new, empty database."""
        name = f"monitor_{next(self._numbers)}"
        self.administer(f"CREATE DATABASE {name} OWNER {OWNER}")
        return PostgresqlAddress("127.0.0.1", self.port, OWNER, name, password=PASSWORD)

    def cut_sessions(self, address: PostgresqlAddress) -> None:
        """Ends all sessions of a database, as a restart of the server does, or a firewall that forgets."""
        self.administer(
            f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{address.database}'"
        )

    def drop(self, address: PostgresqlAddress) -> None:
        self.administer(f"DROP DATABASE IF EXISTS {address.database} WITH (FORCE)")

    def _dsn(self, user: str, database: str) -> str:
        return f"host=127.0.0.1 port={self.port} user={user} password={PASSWORD} dbname={database} connect_timeout=5"

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "log").read_text("utf-8", "replace")[-2000:]
        try:
            self.administer("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def running_server() -> Iterator[PostgresqlServer]:
    """A server that is gone at the end. Skips the test where PostgreSQL is not installed."""
    binaries = programs()
    if binaries is None:
        pytest.skip("LEFT OUT: PostgreSQL is not installed (apt install postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="routee-monitor-postgresql-"))
    server = PostgresqlServer(binaries, folder)
    try:
        server.create()
        server.start()
        server.administer(f"CREATE ROLE {OWNER} LOGIN PASSWORD '{PASSWORD}'")
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)
