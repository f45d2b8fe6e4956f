"""Repeats an output after each poll of the daemon."""

import time
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from monitor.cli.output import say
from monitor.cli.progress import no_more_progress
from monitor.cli.read_store import stored_state
from monitor.config.monitor import Config
from monitor.runtime.errors import StoreError
from monitor.store.protocol import Cursor, Store, StoredState

T = TypeVar("T")

LOOK_EVERY_SECONDS: Final = 1.0


def each_poll(
    config: Config,
    make: Callable[[Store, StoredState], T],
    pause: Callable[[], None] = lambda: time.sleep(LOOK_EVERY_SECONDS),
) -> Iterator[T]:
    """Yields what ``make`` returns for the store, now and after each further poll or sweep; calls ``pause`` between checks.

    Raises StoreError if the first check fails; later failures are tried again.
    """
    seen: object = None
    while True:
        try:
            with stored_state(config) as (store, kept):
                news = [_progress(cursor) for cursor in kept.cursors]
                found = make(store, kept) if news != seen else None
        except StoreError as error:
            if seen is None:
                raise
            say(str(error), err=True)
            found = None
        else:
            seen = news
        if found is not None:
            no_more_progress()
            yield found
        pause()


def _progress(cursor: Cursor) -> object:
    return cursor.account, cursor.search, cursor.as_of, cursor.swept
