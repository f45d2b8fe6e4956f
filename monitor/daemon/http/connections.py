"""Limits the open connections: the one that has waited longest for its client is closed for a new one."""

import os
import socket
from contextlib import suppress
from enum import IntEnum

import trio
from starlette.types import Message, Receive

BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

NEW_SECONDS = 1.0
"""For so long a connection that has not asked for anything yet is not closed before the others."""


class Waits(IntEnum):
    """What a connection waits for; if too many are open, those with a smaller number are closed first."""

    FOR_A_REQUEST = 0
    FOR_THE_REST = 1
    """Of a request's body."""
    FOR_ITS_TURN = 2
    """It has asked, and the daemon has not begun to answer."""
    AS_IT_CAME = 3
    """It is new: what it asks for is likely on its way, and may be a probe."""


class Connection:
    """An open connection, and what it waits for, if it is not being answered."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.scope = trio.CancelScope()
        self._waits: tuple[Waits, float] | None = (Waits.AS_IT_CAME, trio.current_time())

    @property
    def waits(self) -> tuple[Waits, float] | None:
        """None while it is being answered; else for what it waits, and since when."""
        return self._waits

    @property
    def expendable(self) -> tuple[Waits, float]:
        """Of those that wait, the one where this is the smallest is closed first."""
        waits, since = self._waits or (Waits.AS_IT_CAME, trio.current_time())
        is_late = waits is Waits.AS_IT_CAME and trio.current_time() - since >= NEW_SECONDS
        return Waits.FOR_A_REQUEST if is_late else waits, since

    def receiving(self, receive: Receive) -> Receive:
        """``receive``, which notes that the daemon waits for the client until the request is whole."""
        whole = False

        async def received() -> Message:
            nonlocal whole
            if whole:
                return await receive()
            self._waits = Waits.FOR_THE_REST, trio.current_time()
            try:
                message = await receive()
            finally:
                self.answers()
            whole = not message.get("more_body", False)
            return message

        return received

    def answers(self) -> None:
        """The daemon works for it: it is not closed to make room."""
        self._waits = None

    def asks(self) -> None:
        """It has a request, and is to wait for its turn."""
        self._waits = Waits.FOR_ITS_TURN, trio.current_time()

    def idles(self) -> None:
        """It was answered, and may ask again; or the rest of a request's head is to come."""
        self._waits = Waits.FOR_A_REQUEST, trio.current_time()

    @property
    def was_closed(self) -> bool:
        """Whether it was closed from here, not by its client."""
        return self.scope.cancel_called

    def close(self) -> None:
        """Close it now, whatever its tasks are at. Who has asked is told to ask again later."""
        self.scope.cancel()
        if self._waits is not None and self._waits[0] is Waits.FOR_ITS_TURN:
            turn_away(self.stream)
        self.stream.socket.close()


def turn_away(stream: trio.SocketStream) -> None:
    """Say that all are busy, without waiting for the client, and close the connection."""
    with suppress(OSError):
        os.write(stream.socket.fileno(), BUSY)
        stream.socket.shutdown(socket.SHUT_WR)
    stream.socket.close()


class OpenConnections:
    """At most ``most`` of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: set[Connection] = set()

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, stream: trio.SocketStream) -> Connection | None:
        """The new connection, for which an idle one is closed if there are too many. None where all are being answered."""
        if len(self._open) >= self._most and not self.make_room():
            return None
        connection = Connection(stream)
        self._open.add(connection)
        return connection

    def make_room(self) -> bool:
        """Close the one that has waited longest for a request; if none does, for the rest of one; if none does, for its turn."""
        waiting = [(one.expendable, id(one), one) for one in self._open if one.waits is not None]
        if not waiting:
            return False
        self.end(min(waiting)[2])
        return True

    def end_idle(self) -> None:
        """Close all that wait for a request."""
        for one in list(self._open):
            if one.waits is not None and one.waits[0] in (Waits.FOR_A_REQUEST, Waits.AS_IT_CAME):
                self.end(one)

    def end(self, connection: Connection) -> None:
        """Close it, if it is open."""
        self._open.discard(connection)
        connection.close()
