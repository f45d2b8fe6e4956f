"""A real PostgreSQL on loopback, in a folder of its own, as an unprivileged user; with tests' databases in it."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from monitor.runtime.postgresql_address import PostgresqlAddress
from monitor.store.postgresql import open_postgresql
from tests.fakes.alertmanager import free_port
from tests.fakes.patience import until

PASSWORD = "a-test-password"
SETTINGS = """
fsync = off
max_wal_size = 128MB
max_connections = 30
shared_buffers = 16MB
autovacuum = off
log_min_messages = fatal
"""
ADMINISTRATOR = "admin"
OWNER = "monitor"
"""Owns the tests' databases, and is no administrator."""

ON_A_SMALL_DISK = (
    "unshare",
    "-m",
    "sh",
    "-c",
    'mount -t tmpfs -o size=20m,mode=0700,uid=$(id -u postgres) none "$0" && exec "$@"',
)
"""Runs a command where a folder is a disk of its own that nobody else sees: ``… FOLDER COMMAND``."""


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


class PostgresqlServer:
    """One server. ``on_a_small_disk``: it has a tablespace named small on a disk of its own, which `fill` fills.

    ``inside``: a command that runs the server behind it, where these tests reach it as ``host``.
    """

    def __init__(
        self,
        binaries: Path,
        folder: Path,
        *,
        on_a_small_disk: bool = False,
        inside: Sequence[str] = (),
        host: str = "127.0.0.1",
    ) -> None:
        self._binaries, self.folder, self.port = binaries, folder, free_port()
        self._inside, self.host = inside, host
        self._disk = folder / "disk" if on_a_small_disk else None
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = count(1)
        self._template: PostgresqlAddress | None = None

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
        self.port = free_port()  # only now: others look for ports too, while initdb works
        with (self.folder / "data" / "postgresql.conf").open("a") as file:
            file.write(f"{SETTINGS}\nport = {self.port}\nunix_socket_directories = '{self.folder}'\n")
            file.write(f"listen_addresses = '{'*' if self._inside else self.host}'\n")
        if self._inside:
            with (self.folder / "data" / "pg_hba.conf").open("a") as file:
                file.write("host all all all scram-sha-256\n")

    def start(self) -> None:
        """Starts it, and waits until it lets people in."""
        with (self.folder / "log").open("ab") as log:
            command = [
                *self._inside,
                "setpriv",
                "--pdeathsig=QUIT",
            ]  # it ends with these tests, also if they are killed
            if owner := unprivileged():
                command += [f"--reuid={owner['user']}", f"--regid={owner['group']}", "--clear-groups"]
            command += [str(self._binaries / "postgres"), "-D", str(self.folder / "data")]
            if self._disk is not None:
                self._disk.mkdir(exist_ok=True)
                command = [*ON_A_SMALL_DISK, str(self._disk), *command]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        until(self._answers, "PostgreSQL to start")

    @property
    def process_id(self) -> int:
        """The server's first process, while it runs."""
        assert self._process is not None
        return self._process.pid

    def _filler(self) -> Path:
        assert self._process is not None
        assert self._disk is not None
        return Path(f"/proc/{self._process.pid}/root{self._disk}/filler")

    def fill(self) -> None:
        """Leaves no room on its small disk."""
        with self._filler().open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))

    def make_room(self) -> None:
        self._filler().unlink(missing_ok=True)

    @contextmanager
    def standby(self) -> Iterator["PostgresqlServer"]:
        """A hot standby of this server, gone at the end."""
        folder = Path(tempfile.mkdtemp(prefix="routee-monitor-standby-"))
        other = PostgresqlServer(self._binaries, folder)
        try:
            if owner := unprivileged():
                os.chown(folder, owner["user"], owner["group"])
            where = ["-h", "127.0.0.1", "-p", str(self.port), "-U", ADMINISTRATOR, "-D", folder / "data"]
            subprocess.run(
                [self._binaries / "pg_basebackup", *where, "-R", "-c", "fast", "--no-sync"],
                check=True,
                capture_output=True,
                cwd=folder,
                timeout=100,
                env=os.environ | {"PGPASSWORD": PASSWORD},
                **unprivileged(),
            )
            other.port = free_port()
            with (folder / "data" / "postgresql.conf").open("a") as file:
                file.write(f"\nport = {other.port}\nunix_socket_directories = '{folder}'\n")
            other.start()
            yield other
        finally:
            other.stop(signal.SIGQUIT)
            shutil.rmtree(folder)

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

    def database(self, more: str = "") -> PostgresqlAddress:
        """A new, empty database."""
        name = f"monitor_{next(self._numbers)}"
        # To copy the files, and not what is in them page by page, takes half the time.
        self.administer(f"CREATE DATABASE {name} OWNER {OWNER} STRATEGY FILE_COPY {more}")
        return PostgresqlAddress(self.host, self.port, OWNER, name, password=PASSWORD)

    def database_with_tables(self) -> PostgresqlAddress:
        """A new database with the tables of a store, and nothing in them: the steps that make them are run once, and their result is copied."""
        if self._template is None:
            self._template = self.database()
            open_postgresql(self._template).close()
        return self.database(f"TEMPLATE {self._template.database}")

    def cut_sessions(self, address: PostgresqlAddress) -> None:
        """Ends all sessions of a database, as a restart of the server does, or a firewall that forgets."""
        self.administer(
            f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{address.database}'"
        )

    def contents(self, address: PostgresqlAddress) -> bytes:
        """All values in the tables of this program, one after the other."""
        where = {"database": address.database}
        tables = self.administer("SELECT tablename FROM pg_tables WHERE schemaname = 'routee_monitor'", **where)
        rows = [row for (table,) in tables for row in self.administer(f"SELECT * FROM routee_monitor.{table}", **where)]
        return b"\n".join(value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row)

    def drop(self, address: PostgresqlAddress) -> None:
        self.administer(f"DROP DATABASE IF EXISTS {address.database} WITH (FORCE)")

    def _dsn(self, user: str, database: str) -> str:
        return f"host={self.host} port={self.port} user={user} password={PASSWORD} dbname={database} connect_timeout=5"

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "log").read_text("utf-8", "replace")[-2000:]
        try:
            [(folder,)] = self.administer("SHOW data_directory")
        except psycopg.OperationalError:
            return False
        return str(folder) == str(self.folder / "data")  # and not that of another one, which took the port


def store_keys(address: PostgresqlAddress) -> dict[str, str]:
    """What a configuration has for a store in PostgreSQL."""
    return {"store": str(address.with_password("")), "store_password": address.password}


@contextmanager
def running_server(
    *, on_a_small_disk: bool = False, inside: Sequence[str] = (), host: str = "127.0.0.1"
) -> Iterator[PostgresqlServer]:
    """A server that is gone at the end; see `PostgresqlServer`. Skips the test where PostgreSQL is not installed."""
    binaries = programs()
    if binaries is None:
        pytest.skip("LEFT OUT: PostgreSQL is not installed (apt install postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="routee-monitor-postgresql-"))
    server = PostgresqlServer(binaries, folder, on_a_small_disk=on_a_small_disk, inside=inside, host=host)
    try:
        server.create()
        server.start()
        server.administer(f"CREATE ROLE {OWNER} LOGIN PASSWORD '{PASSWORD}'")
        if on_a_small_disk:
            server.administer(
                f"CREATE TABLESPACE small LOCATION '{folder / 'disk'}'", f"GRANT CREATE ON TABLESPACE small TO {OWNER}"
            )
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)
