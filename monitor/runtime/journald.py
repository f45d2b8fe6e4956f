"""Sends log records to systemd's journal in its own protocol: one datagram for each record, with fields that can be searched for.

    journalctl -u routee-monitor RULE=OperatorFailureRate

A record that is too large for a datagram is written to a sealed memory file, whose descriptor is sent instead.
Source: "Native Journal Protocol" of systemd's documentation; systemd.journal-fields(7) for the names.
"""

import errno
import fcntl
import os
import re
import socket
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Final

SOCKET: Final = Path("/run/systemd/journal/socket")
"""Where journald listens."""

PATIENCE_SECONDS: Final = 1.0
"""Seconds after which an unresponsive journal counts as gone for this record, so that logging does not block the daemon."""

_LONGEST_NAME: Final = 64
_SEALS: Final = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
_TOO_LARGE: Final = frozenset({errno.EMSGSIZE, errno.ENOBUFS})
_FOREIGN: Final = re.compile(r"[^A-Z0-9_]")

Field = tuple[str, str]


class JournaldSocket:
    """journald's socket at ``address``. It connects with the first record, and again after journald was restarted."""

    def __init__(self, address: Path = SOCKET) -> None:
        self._address = str(address)
        self._socket: socket.socket | None = None

    def send(self, fields: Iterable[Field]) -> None:
        """Sends one record. Raises OSError if the journal does not accept it."""
        record = encode(fields)
        try:
            self._deliver(record)
        except TimeoutError:
            raise
        except OSError:  # journald was restarted: the address has a new socket
            self.close()
            self._deliver(record)

    def close(self) -> None:
        """Closes the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _deliver(self, record: bytes) -> None:
        journald = self._connected()
        try:
            journald.send(record)
        except OSError as error:
            if error.errno not in _TOO_LARGE:
                raise
            _send_large(journald, record)

    def _connected(self) -> socket.socket:
        if self._socket is None:
            made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            made.settimeout(PATIENCE_SECONDS)
            try:
                made.connect(self._address)
            except OSError:
                made.close()
                raise
            self._socket = made
        return self._socket


def encode(fields: Iterable[Field]) -> bytes:
    """Returns a record as journald reads it: ``NAME=value`` lines. A value of several lines has its length before it instead of ``=``."""
    return b"".join(_encoded(name, value.encode(errors="replace")) for name, value in fields)


def field_name(key: str, taken: Iterable[str] = ()) -> str:
    """Returns ``key`` as journald accepts it: capitals, digits and ``_``, beginning with a letter. Appends ``_`` if the name is ``taken``."""
    name = _FOREIGN.sub("_", key.upper()).lstrip("_0123456789")[: _LONGEST_NAME - 1] or "FIELD"
    return f"{name}_" if name in taken else name


def _encoded(name: str, value: bytes) -> bytes:
    if b"\n" in value:
        return name.encode() + b"\n" + struct.pack("<Q", len(value)) + value + b"\n"
    return name.encode() + b"=" + value + b"\n"


def _send_large(journald: socket.socket, record: bytes) -> None:
    file = os.memfd_create("routee-monitor-record", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with os.fdopen(file, "wb", buffering=0) as memory:
        memory.write(record)
        fcntl.fcntl(file, fcntl.F_ADD_SEALS, _SEALS)  # journald refuses a file that can still change
        socket.send_fds(journald, [b""], [file])
