"""Keeps logouts in the store, so that every daemon that shares it refuses the session, and this one does so after a restart too.

The daemon that was asked refuses it at once, whether the store answers or not.
"""

from typing import Final

import trio

from monitor.daemon.http.sessions import MOST_ENDED, BrowserSessions
from monitor.runtime.errors import StoreError
from monitor.store.async_store import AsyncStore

PATIENCE: Final = 2.0
"""Seconds that a browser waits for its logout to be stored."""
AGAIN: Final = 5.0
"""Seconds after which a logout that could not be stored is stored again."""


class Logouts:
    """Takes the logouts of ``sessions`` to the store, and those of other daemons from there."""

    def __init__(self, sessions: BrowserSessions, store: AsyncStore) -> None:
        self._sessions, self._store = sessions, store
        self._new, self._stored = trio.Event(), trio.Event()

    async def read(self) -> None:
        """Ends the sessions that the store knows to be ended. Raises StoreError."""
        self._sessions.end_all(await self._store.ended_sessions())

    async def stored(self) -> None:
        """Returns once all logouts so far are stored, or after `PATIENCE`: then `run` goes on trying."""
        self._new.set()
        with trio.move_on_after(PATIENCE):
            while self._sessions.unstored:
                await self._stored.wait()

    async def run(self) -> None:
        """Stores logouts until it is cancelled."""
        while True:
            self._new = trio.Event()
            try:
                await self._store_all()
            except StoreError:  # the code that uses the store logs it
                await trio.sleep(AGAIN)
            else:
                await self._new.wait()

    async def _store_all(self) -> None:
        unstored = self._sessions.unstored
        if unstored:
            await self._store.end_sessions(unstored, self._sessions.over, MOST_ENDED)
            self._sessions.note_stored(unstored)
        self._stored.set()
        self._stored = trio.Event()
