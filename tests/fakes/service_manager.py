"""What systemd is to a service that tells it of its state: a datagram socket."""

import socket


class Manager:
    """Listens at a path, or an abstract address that begins with a NUL byte."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.settimeout(2)

    def heard(self) -> list[str]:
        """Returns the lines of the next message; waits for it."""
        return self._socket.recv(4096).decode().split("\n")

    def heard_so_far(self) -> list[str]:
        """Returns the lines of all messages that have come, without waiting."""
        found: list[str] = []
        self._socket.setblocking(False)
        try:
            while True:
                found += self.heard()
        except BlockingIOError:
            return found
        finally:
            self._socket.settimeout(2)

    def close(self) -> None:
        self._socket.close()
