"""Takes pages in, one after the other, while the next one is requested: Routee's time and ours then pass together."""

from collections.abc import Awaitable, Callable
from typing import Final

import trio

TakePage = Callable[[], Awaitable[None]]
Note = Callable[[], None]

TURNS: Final = 12
"""The turns of the event loop that the next request gets before a page is taken in. It needs six or seven until it is sent, and a piece of
taking in a page is longer than all of them: without this it would be sent once the page is taken in."""


class Handover:
    """The pages of one read on their way from who requests them to who takes them in. At most one page waits for the one before it.

    The order stays: each page is taken in after all pages before it, and each note is made after the pages before it were taken in.
    """

    def __init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel[tuple[list[Note], TakePage]](0)
        self._requesting = trio.CancelScope()
        self._notes: list[Note] = []
        self._errors: list[Exception] = []
        self._is_taken = True
        self._is_read = False

    async def beside(self, read: Callable[[], Awaitable[None]]) -> None:
        """Calls ``read``, and takes in meanwhile what it hands over. Returns or raises once that is done.

        Raises the first error of either. If a page cannot be taken in, ``read`` is cancelled and the notes after that page are not made. If
        ``read`` fails, the pages before are taken in, and noted, nevertheless.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._take_in)
            with self._send, self._requesting:
                try:
                    await read()
                except Exception as error:  # noqa: BLE001 - raised below, outside of the nursery, which would wrap it
                    self._errors.append(error)
                self._is_read = True
        if self._is_taken:
            _make(self._notes)
        if self._errors:
            raise self._errors[0]

    async def page(self, take: TakePage) -> None:
        """Hands over a page, which is taken in by calling ``take``. Waits until the page before it is taken in."""
        notes, self._notes = self._notes, []
        await self._send.send((notes, take))

    def note(self, note: Note) -> None:
        """Calls ``note`` once all pages that were handed over before are taken in."""
        self._notes.append(note)

    async def _take_in(self) -> None:
        async for notes, take in self._receive:
            try:
                await self._let_request()
                _make(notes)
                await take()
            except Exception as error:  # noqa: BLE001 - as above
                self._errors.append(error)
                self._is_taken = False
                self._requesting.cancel()
                return

    async def _let_request(self) -> None:
        """Lets the next request be sent, if there is one."""
        for _ in range(TURNS):
            if self._is_read:
                return
            await trio.lowlevel.checkpoint()


def _make(notes: list[Note]) -> None:
    for note in notes:
        note()
