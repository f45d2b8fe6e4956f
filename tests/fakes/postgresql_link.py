"""A TCP link to PostgreSQL that can be cut at a chosen moment, be silent, or lead nowhere."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Final, Literal

from monitor.runtime.postgresql_address import PostgresqlAddress

When = Literal["before", "after"]
Held = Literal["request", "answer"]
COMMIT: Final = b"COMMIT"
LEASES: Final = b"UPDATE lease"
"""What only the connection of the leases sends."""
TLS: Final = (80877103).to_bytes(4, "big")
"""With this a client asks for TLS."""
_PROTOCOL: Final = b"\0\3"
_CHUNK: Final = 1 << 16


class PostgresqlLink:
    """Forwards connections. ``cut_at_commit``: the next commit is not let through (before), or its answer is not (after); then the link is cut.

    ``hold_at_commit``: the next commit, or its answer, is held back until `let_go`; other connections go on.
    ``listening``: is called with whatever comes from a client before it goes to the server.
    ``ignoring_options``: settings of new sessions do not come through, as with some poolers.
    ``rate``: bytes a second that come through in each direction; 0 for no limit.
    Connections of leases are not cut at a commit: they commit every second.
    ``silent``: answers of the server are held back. ``refusing``: new connections are closed at once. ``starting``: that many of the next
    connections are answered as by a server that only just starts.
    """

    def __init__(self, address: PostgresqlAddress) -> None:
        assert address.port is not None
        self._target = (address.host, address.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _CHUNK)  # no more waits in between
        self.address = replace(address, port=self._listener.getsockname()[1])
        self.cut_at_commit: When | None = None
        self.hold_at_commit: Held | None = None
        self.listening: Callable[[bytes], None] | None = None
        self._going = threading.Event()
        self._holding: set[socket.socket] = set()
        self.refusing = False
        self.starting = 0
        self.connections = 0
        self.rate = 0
        self.ignoring_options = False
        self._speaking = threading.Event()
        self._speaking.set()
        self._open: set[socket.socket] = set()
        self._leases: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept, name="link")]
        self._threads[0].start()

    def silence(self) -> None:
        """From now on no answer comes through."""
        self._speaking.clear()

    def speak(self) -> None:
        """Answers come through again."""
        self._speaking.set()

    def let_go(self) -> None:
        """Lets the commit go on that was held back."""
        self._going.set()

    def lead_to(self, port: int) -> None:
        """New connections go to another server on this machine, as after a change of an address."""
        self._target = ("127.0.0.1", port)

    def cut(self) -> None:
        """Cuts every connection."""
        for one in list(self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Ends everything."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._speaking.set()
        self._going.set()
        self.cut()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.refusing:
                client.close()
                continue
            self.connections += 1
            if self.starting:
                self.starting -= 1
                _say_starting(client)
                continue
            server = socket.create_connection(self._target)
            self._open |= {client, server}
            for pump in (self._to_server, self._to_client):
                thread = threading.Thread(target=self._run, args=(pump, client, server), name="link")
                self._threads.append(thread)
                thread.start()

    def _run(
        self, pump: Callable[[socket.socket, socket.socket], None], client: socket.socket, server: socket.socket
    ) -> None:
        with suppress(OSError):
            pump(client, server)
        for one in (client, server):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
            self._open.discard(one)

    def _to_server(self, client: socket.socket, server: socket.socket) -> None:
        while chunk := client.recv(_CHUNK):
            if LEASES in chunk:
                self._leases.add(client)
            if self.listening is not None:
                self.listening(chunk)
            if self.cut_at_commit == "before" and COMMIT in chunk and client not in self._leases:
                self.cut_at_commit = None
                return
            self._hold("request", chunk, server)
            if server in self._holding:  # nor does the server hear the client's farewell
                self._going.wait()
            server.sendall(_without_options(chunk) if self.ignoring_options else chunk)
            self._take_time(chunk)
        if server in self._holding:  # the server does not see that the client has gone
            self._going.wait()

    def _to_client(self, client: socket.socket, server: socket.socket) -> None:
        while chunk := server.recv(_CHUNK):
            if (
                self.cut_at_commit == "after" and COMMIT in chunk and client not in self._leases
            ):  # the server's answer names what it has done
                self.cut_at_commit = None
                return
            self._hold("answer", chunk, server)
            self._speaking.wait()
            client.sendall(chunk)
            self._take_time(chunk)

    def _hold(self, what: Held, chunk: bytes, server: socket.socket) -> None:
        if self.hold_at_commit == what and COMMIT in chunk:
            self.hold_at_commit = None
            self._holding.add(server)
            self._going.wait()

    def _take_time(self, chunk: bytes) -> None:
        if self.rate:
            time.sleep(len(chunk) / self.rate)


def refusal(code: str, words: str) -> bytes:
    """What a server says that lets nobody in."""
    fields = f"SFATAL\0VFATAL\0C{code}\0M{words}\0\0".encode()
    return b"E" + (len(fields) + 4).to_bytes(4, "big") + fields


def _say_starting(client: socket.socket) -> None:
    with client, suppress(OSError):
        client.settimeout(10)
        if client.recv(_CHUNK)[4:8] == TLS:
            client.sendall(b"N")
            client.recv(_CHUNK)
        client.sendall(refusal("57P03", "the database system is starting up"))


def _without_options(chunk: bytes) -> bytes:
    """A session's first message without its ``options``; any other chunk as it is."""
    words = chunk[8:].split(b"\0")
    if chunk[4:6] != _PROTOCOL or b"options" not in words:
        return chunk
    place = words.index(b"options")
    rest = b"\0".join(words[:place] + words[place + 2 :])
    return (len(rest) + 8).to_bytes(4, "big") + chunk[4:8] + rest


@contextmanager
def linked(address: PostgresqlAddress) -> Iterator[PostgresqlLink]:
    """A link that is gone at the end."""
    link = PostgresqlLink(address)
    try:
        yield link
    finally:
        link.close()
