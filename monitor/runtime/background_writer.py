"""Writes items from a thread, so that who hands them over never waits for the one who reads them."""

import threading
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")

MOST: Final = 1024 * 1024
"""The most characters or bytes that wait to be written; what comes while as many wait is lost, and counted."""


class BackgroundWriter(Generic[Item]):
    """Hands items to ``write`` in their order, several at once; it may block. An error of it ends the writing: all is dropped then.

    ``size`` returns an item's size. An item that finds no room is lost; ``lost`` makes the item that says how many were, once there is room.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Item]], None],
        size: Callable[[Item], int],
        lost: Callable[[int], Item],
        most: int = MOST,
    ) -> None:
        self._write = write
        self._size_of = size
        self._lost_item = lost
        self._most = most
        self._waiting: list[Item] = []
        self._size = 0
        self._lost = 0
        self._is_broken = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def put(self, item: Item) -> None:
        """Takes the item, which is written soon."""
        with self._changed:
            size = self._size_of(item)
            if self._is_broken:
                return
            if self._size + size > self._most:
                self._lost += 1
            else:
                self._say_what_was_lost()
                self._waiting.append(item)
                self._size += size
            if self._thread is None:
                self._thread = threading.Thread(target=self._pass_on, name="output", daemon=True)
                self._thread.start()

    def drain(self, patience: float) -> None:
        """Waits until all is written, for at most so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: not (self._size or self._lost) or self._is_broken, patience)

    def _pass_on(self) -> None:
        """Writes what waits, until nothing does."""
        while items := self._next():
            try:
                self._write(items)
            except Exception:  # noqa: BLE001 - nobody reads it any more, or it is closed; and there is nowhere to say so
                self._is_broken = True
            with self._changed:
                self._size -= sum(map(self._size_of, items))
                self._changed.notify_all()

    def _next(self) -> list[Item]:
        with self._changed:
            if not self._waiting:
                self._say_what_was_lost()
            items, self._waiting = [] if self._is_broken else self._waiting, []
            if not items:
                self._thread = None
        return items

    def _say_what_was_lost(self) -> None:
        if self._lost:
            self._waiting.append(self._lost_item(self._lost))
            self._size += self._size_of(self._waiting[-1])
            self._lost = 0
