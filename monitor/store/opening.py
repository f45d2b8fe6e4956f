"""Opens the daemon's store in a thread of its own, which may begin before there is an event loop."""

from contextlib import suppress
from functools import partial
from threading import Lock, Thread

from monitor.runtime.clock import Instant
from monitor.runtime.errors import StoreError
from monitor.store.open import DamageReport, StoreLocation, import_driver, open_for_daemon
from monitor.store.protocol import Store

Opened = tuple[Store, DamageReport | None]


class StoreOpening:
    """A store that is being opened, from the moment when this is made. It is closed at once if nobody waits for it any more.

    Most of opening is SQLite's examination of the file, or waiting for a server. Neither needs the interpreter's lock, so that others go on.
    """

    def __init__(self, location: StoreLocation, now: Instant, url: str = "", port: int = 0) -> None:
        """``url`` is where the daemon's page is, ``port`` where it listens, for others that share the store."""
        with suppress(StoreError):  # it is raised again when the store is asked for
            import_driver(location)  # here, because two threads that import the same modules may meet half of one
        self._open = partial(open_for_daemon, location, now, url, port)
        self._lock = Lock()
        self._is_given_up = False
        self._found: Opened | BaseException | None = None
        self._thread = Thread(target=self._run, name="store", daemon=True)
        self._thread.start()

    def __call__(self) -> Opened:
        """Waits until the store is open; returns it, and a report if its file was damaged. Raises StoreError."""
        self._thread.join()
        assert self._found is not None
        if isinstance(self._found, BaseException):
            raise self._found
        return self._found

    def give_up(self) -> bool:
        """Returns whether the store is not open yet, and will be closed again."""
        with self._lock:
            self._is_given_up = self._found is None
            return self._is_given_up

    def _run(self) -> None:
        found: Opened | BaseException
        try:
            found = self._open()
        except BaseException as error:  # noqa: BLE001 - whoever asks for the store gets it
            found = error
        with self._lock:
            self._found = found
            if self._is_given_up and not isinstance(found, BaseException):
                found[0].close()
