"""Limits the number of open connections: to admit a new one, the one that has waited longest for its client is closed."""

import os
from collections.abc import Callable
from contextlib import suppress
from enum import IntEnum

import trio
from starlette.types import Message, Receive

from monitor.daemon.http.security_headers import LINES

BUSY = f"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n{LINES}\r\n\r\n".encode()

NEW_SECONDS = 1.0
"""Seconds for which a connection that has not sent anything is spared; afterwards it is closed like an idle one."""


class Waits(IntEnum):
    """What a connection waits for. If too many are open, those with the smallest number are closed first."""

    FOR_A_REQUEST = 0
    FOR_THE_REST = 1
    """It waits for the rest of a request's body."""
    FOR_ITS_TURN = 2
    """It has sent a request that the daemon has not begun to answer."""
    NEW = 3
    """It is new: its request is probably on its way, and may be a probe."""


class Connection:
    """An open connection, and what it waits for if it is not being answered."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.scope = trio.CancelScope()
        self.is_encrypted = False
        self._waits: tuple[Waits, float] | None = (Waits.NEW, trio.current_time())

    @property
    def waits(self) -> tuple[Waits, float] | None:
        """What it waits for, and since when; None while it is being answered."""
        return self._waits

    @property
    def expendable(self) -> tuple[Waits, float]:
        """The sort key for closing: the waiting connection with the smallest key is closed first."""
        waits, since = self._waits or (Waits.NEW, trio.current_time())
        is_late = waits is Waits.NEW and trio.current_time() - since >= NEW_SECONDS
        return Waits.FOR_A_REQUEST if is_late else waits, since

    def receiving(self, receive: Receive) -> Receive:
        """Returns ``receive`` with a note that the daemon waits for the client until the request is complete."""
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

    def awaits_rest(self) -> None:
        """Notes that the rest of a request is still to come."""
        self._waits = Waits.FOR_THE_REST, trio.current_time()

    def answers(self) -> None:
        """Notes that the daemon works on an answer, so it is not closed to make room."""
        self._waits = None

    def asks(self) -> None:
        """Notes that it has a request which waits for its turn."""
        self._waits = Waits.FOR_ITS_TURN, trio.current_time()

    def idles(self) -> None:
        """Notes that it was answered and may send another request, or that the rest of a request's head is still to come."""
        self._waits = Waits.FOR_A_REQUEST, trio.current_time()

    @property
    def was_closed(self) -> bool:
        """Whether it was closed from here, not by its client."""
        return self.scope.cancel_called

    def close(self) -> bool:
        """Closes it at once, whatever its tasks do. A client whose request waits for its turn is told to try again later, except over TLS.

        Returns whether it was told by this call: not if it was closed already, nor if the client has gone.
        """
        is_told, is_waiting = False, self._waits is not None and self._waits[0] is Waits.FOR_ITS_TURN
        if is_waiting and not self.is_encrypted and not self.was_closed:
            with suppress(OSError):
                turn_away(self.stream.socket.fileno())
                is_told = True
        self.scope.cancel()
        self.stream.socket.close()
        return is_told


def turn_away(descriptor: int) -> None:
    """Answers 503 on a connection without waiting for the client. Raises OSError if the client has gone."""
    os.write(descriptor, BUSY)


class OpenConnections:
    """Holds at most ``most`` open connections."""

    def __init__(self, most: int, answered: Callable[[int], None] = lambda _: None) -> None:
        """``answered`` counts clients that are told to try again later, by the status of that answer."""
        self._most, self._answered = most, answered
        self._open: set[Connection] = set()

    def __len__(self) -> int:
        return len(self._open)

    @property
    def are_all_wanted(self) -> bool:
        """Whether there are as many as there may be, and each is answered, or waits for its turn or as a new one."""
        if len(self._open) < self._most:
            return False
        return all(one.waits is None or one.expendable[0] >= Waits.FOR_ITS_TURN for one in self._open)

    def admit(self, stream: trio.SocketStream) -> Connection | None:
        """Returns the new connection, after closing an idle one if there are too many; None if all are being answered."""
        if len(self._open) >= self._most and not self.make_room():
            return None
        connection = Connection(stream)
        self._open.add(connection)
        return connection

    def make_room(self) -> bool:
        """Closes a connection and returns true, or false if all are being answered.

        It closes the one that has waited longest for a request; if there is none, for the rest of one; if there is none, for its turn.
        """
        waiting = [(one.expendable, id(one), one) for one in self._open if one.waits is not None]
        if not waiting:
            return False
        self.end(min(waiting)[2])
        return True

    def end_idle(self) -> None:
        """Closes all that wait for a request."""
        for one in list(self._open):
            if one.waits is not None and one.waits[0] in (Waits.FOR_A_REQUEST, Waits.NEW):
                self.end(one)

    def end(self, connection: Connection) -> None:
        """Closes a connection if it is open."""
        self._open.discard(connection)
        if connection.close():
            self._answered(503)
