"""A server that lets nobody in yet, in whatever language it says so."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from monitor.runtime.errors import StoreError, StoreUnreachable
from monitor.runtime.postgresql_address import PostgresqlAddress
from monitor.store.postgresql import open_postgresql, open_worker
from monitor.store.postgresql_connection import PostgresqlLimits
from monitor.store.postgresql_refusal import refusal_code
from tests.fakes.postgresql import PostgresqlServer
from tests.fakes.postgresql_link import TLS, linked, refusal

WORDS = "das Datenbanksystem startet"


@contextmanager
def answering(answer: bytes, unix: Path | None = None) -> Iterator[int]:
    """A server that has no TLS and gives the same answer to everybody. Yields its port."""
    if unix is None:
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    else:
        listener, port = socket.socket(socket.AF_UNIX), 5432
        listener.bind(str(unix / f".s.PGSQL.{port}"))
        listener.listen()

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                client.settimeout(10)
                if client.recv(4096)[4:8] == TLS:
                    client.sendall(b"N")
                    client.recv(4096)
                client.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield port
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


@pytest.mark.parametrize(("code", "away"), [("57P03", True), ("53300", True), ("28000", False), ("3D000", False)])
def test_a_server_that_is_starting_is_known_by_its_code_in_every_language(code: str, away: bool) -> None:
    with answering(refusal(code, WORDS)) as port:
        address = PostgresqlAddress("127.0.0.1", port, "monitor", "monitor")
        with pytest.raises(StoreError, match=WORDS) as caught:
            open_postgresql(address, limits=PostgresqlLimits())
    assert isinstance(caught.value, StoreUnreachable) == away
    assert ("are user, password and database right?" in str(caught.value)) != away


def test_a_server_that_has_started_while_it_was_asked_is_not_taken_for_one_that_refuses(
    postgresql: PostgresqlAddress,
) -> None:
    with linked(postgresql) as link:
        link.starting = 1
        with closing(open_worker(link.address)) as store:
            assert store.load().alerts == []


def test_a_wrong_password_ends_at_once_also_while_the_server_was_just_starting(postgresql: PostgresqlAddress) -> None:
    with linked(postgresql.with_password("wrong")) as link:
        link.starting = 1
        with pytest.raises(StoreError, match=r"password authentication failed.*are user, password") as caught:
            open_worker(link.address)
    assert not isinstance(caught.value, StoreUnreachable)


def test_a_server_that_still_starts_at_the_second_try_is_away(postgresql: PostgresqlAddress) -> None:
    with linked(postgresql) as link:
        link.starting = 9
        with pytest.raises(StoreUnreachable, match="starting up; the daemon tries again"):
            open_worker(link.address)


def test_a_unix_socket_is_asked_as_well(tmp_path: Path) -> None:
    with answering(refusal("57P03", WORDS), tmp_path):
        assert refusal_code(str(tmp_path), 5432, "monitor", "monitor") == "57P03"


@pytest.mark.parametrize(
    "answer", [b"", b"E", b"R\0\0\0\x08\0\0\0\0", b"E\0\0\0\x03", b"E\xff\xff\xff\xffC57P03\0", b"E\0\0\0\x06\0\0"]
)
def test_any_other_answer_has_no_code(answer: bytes) -> None:
    with answering(answer) as port:
        assert refusal_code("127.0.0.1", port, "monitor", "monitor") == ""


def test_a_real_server_that_asks_for_a_password_has_no_code_and_a_missing_one_neither(
    postgresql: PostgresqlAddress, postgresql_server: PostgresqlServer
) -> None:
    assert refusal_code("127.0.0.1", postgresql_server.port, postgresql.user or "", postgresql.database or "") == ""
    assert refusal_code("127.0.0.1", 1, "monitor", "monitor") == ""
