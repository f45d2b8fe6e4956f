"""The connections that are open: no more than so many. The one that has waited longest for its client makes room for a new one."""

import trio
from starlette.types import Message, Receive


class Connection:
    """An open connection, and whether the daemon waits for its client: for a request, or for the rest of one."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.scope = trio.CancelScope()
        self._receiving = False
        self._waits_since: float | None = trio.current_time()

    @property
    def waits(self) -> tuple[bool, float] | None:
        """None while it is being answered; else whether it is in the midst of a body, and since when the daemon waits."""
        return None if self._waits_since is None else (self._receiving, self._waits_since)

    def receiving(self, receive: Receive) -> Receive:
        """``receive``, which notes that the daemon waits for the client until the request is whole."""
        whole = False

        async def received() -> Message:
            nonlocal whole
            if whole:
                return await receive()
            self._receiving, self._waits_since = True, trio.current_time()
            try:
                message = await receive()
            finally:
                self.answers()
            whole = not message.get("more_body", False)
            return message

        return received

    def answers(self) -> None:
        """The daemon works for it: it is not closed to make room."""
        self._receiving, self._waits_since = False, None

    def idles(self) -> None:
        """It was answered, and may ask again."""
        self._receiving, self._waits_since = False, trio.current_time()

    def close(self) -> None:
        """Close it now, whatever its tasks are at."""
        self.scope.cancel()
        self.stream.socket.close()


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
        """Close the one that has waited longest for a request; if none does, the one that has waited longest for the rest of one."""
        idle = [(waits, id(one), one) for one in self._open if (waits := one.waits) is not None]
        if not idle:
            return False
        self.end(min(idle)[2])
        return True

    def end(self, connection: Connection) -> None:
        """Close it, if it is open."""
        self._open.discard(connection)
        connection.close()
