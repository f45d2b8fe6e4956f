"""Restores an account's window from the store: for a command at once, for a daemon in small steps."""

from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from monitor.config.monitor import Config
from monitor.model.builtin_alerts import BUILT_IN
from monitor.model.journal_sum import JournalSum
from monitor.model.privacy import RecipientMask
from monitor.runtime.clock import Instant
from monitor.runtime.errors import StoreDamaged, StoreError
from monitor.runtime.pieces import Work
from monitor.store.protocol import (
    BEFORE_ALL_TEXTS,
    Commit,
    Cursor,
    Entry,
    FirstPages,
    LeftOut,
    Store,
    StoredState,
    Texts,
)
from monitor.window import UnreadableBlob, Window
from monitor.window.codec import OpenedBlob, opened
from monitor.window.malloc_trim import trim_heap

if TYPE_CHECKING:
    from monitor.store.async_store import AsyncStore  # a command that reads the store does without trio


NOTHING_READ: Final = FirstPages([], [])
_FIELD_CODE_VALUE: Final = itemgetter(1, 2, 3)
"""Of an entry."""

_ADVICE: Final = "restart the daemon"
"""What a command says about messages that cannot be read; to the daemon, which has just been started, it would be wrong."""


def restored_window(store: Store, account: str, config: Config, key: bytes) -> Window:
    """Returns an account's stored window; empty if the account was removed. Blocking: for a command.

    Raises StoreError, and StoreDamaged if an entry of its journal cannot be read.
    """
    window = _empty(account, config, key)
    if _is_watched(account, config):
        texts = store.texts_page(account)
        while texts:
            _add_texts(window, texts)
            texts = store.texts_page(account, _end(texts))
        _add_rows(window, store.journal(account))
        with _damage_of(window):
            window.restored()
    return window


def readable_window(store: Store, account: str, config: Config, key: bytes, left_out: list[LeftOut]) -> Window | None:
    """Returns what `restored_window` returns; None, and adds it to ``left_out``, if the account's messages cannot be read. Raises StoreError."""
    try:
        return restored_window(store, account, config, key)
    except StoreDamaged as error:
        left_out.append(LeftOut(account, str(error)))
        return None


async def restored_or_empty(
    store: "AsyncStore",
    account: str,
    config: Config,
    key: bytes,
    loaded: StoredState,
    now: Instant,
    first: FirstPages = NOTHING_READ,
) -> tuple[Window, str]:
    """Returns an account's window, and why it is empty if its messages cannot be read; its searches then start again.

    ``first`` is what was read of it already. ``loaded`` was read before the messages: its cursors say whether there are all of them, and where a
    rule's alert fires there have to be cursors. If messages cannot be read, those until ``now`` are lost, which is remembered (`StoredState.lost`).

    A large window takes long. It is made beside the store's thread, which reads the next page meanwhile. Between two pages others have their
    turn. If the task is cancelled, this ends after the present page, or the present piece of what is done with all of them. The window is
    prepared for rules. Its alerts stay: none of them can end before the messages behind it were read again (`monitor.alerts.evaluator`). Raises
    StoreError.
    """
    import trio

    window, own = _empty(account, config, key), [one for one in loaded.cursors if one.account == account]
    try:
        if _is_watched(account, config):
            if not own and _has_fired(loaded, account):
                raise StoreDamaged(f"the store does not say any more what was read of account {account}")
            await _fill(window, store, first)
            with _damage_of(window):
                window.check_journal(_sums(own))
        with _damage_of(window):
            indexing = await store.work(window.indexing)
        works = iter([*map(_as_one_piece, window.preparing()), *indexing])
        # Two threads, each of which takes the next work; more would wait for each other.
        async with trio.open_nursery() as nursery:
            nursery.start_soon(store.work_in_pieces, _each(works))
            nursery.start_soon(store.work_in_pieces, _each(works))
        await store.work(trim_heap)
    except StoreDamaged as error:
        await store.commit(Commit(forgotten=[account], lost={account: known_to(own, now)}))
        return _empty(account, config, key), str(error).partition(f": {_ADVICE}")[0].partition(": start")[0]
    return window, ""


def _has_fired(loaded: StoredState, account: str) -> bool:
    """Returns whether an alert fires that a rule has found in the account's messages since those before were lost, if any were."""
    own = (one for one in loaded.alerts if one.account == account and one.rule not in BUILT_IN)
    return any(one.state == "firing" and one.as_of > loaded.lost_to(account) for one in own)


def known_to(cursors: Iterable[Cursor], now: Instant) -> Instant:
    """Returns up to when messages of these searches are known at most, also if this machine's clock is behind."""
    return max(now, *(cursor.as_of for cursor in cursors), 0)


def _sums(cursors: Sequence[Cursor]) -> list[JournalSum]:
    """Returns the sums of the journal, but those that an older version did not renew, which may have dropped entries since: it leaves sums out."""
    since = max((one.as_of for one in cursors if one.journal is None), default=0)
    return [one.journal_sum for one in cursors if one.journal_sum is not None and one.as_of >= since]


async def _fill(window: Window, store: "AsyncStore", first: FirstPages) -> None:
    async with aclosing(_pages(window, store, first)) as pages:
        add = await anext(pages, None)
        while add is not None:
            add = await _next_beside(pages, store, add)


async def _pages(window: Window, store: "AsyncStore", first: FirstPages) -> AsyncGenerator[Callable[[], None], None]:
    """Reads the dictionaries and the journal, a page at a time; yields what adds each page to the window."""
    end = BEFORE_ALL_TEXTS
    if first.entries:
        yield partial(_add_entries, window, first.entries)
        end = first.entries[-1].field, first.entries[-1].code
    texts = await store.texts_page(window.account, end) if first.has_more_entries else []
    while texts:
        yield partial(_add_texts, window, texts)
        texts = await store.texts_page(window.account, _end(texts))
    page, has_more = first.journal, first.has_more_journal
    while page or has_more:
        if page:
            yield partial(_add_opened, window, await store.work(partial(_opened, window, page)))
        page = await store.journal_page(window.account, page[-1][0] if page else 0) if has_more else []
        has_more = bool(page)


async def _next_beside(
    pages: AsyncGenerator[Callable[[], None], None], store: "AsyncStore", add: Callable[[], None]
) -> Callable[[], None] | None:
    """Adds a page while the next one is read; returns what adds that, None after the last one. Raises StoreError of either."""
    import trio

    errors: list[StoreError] = []
    following = None

    async def added() -> None:
        try:
            await store.work(add)
        except StoreError as error:
            errors.append(error)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(added)
        try:
            following = await anext(pages, None)
        except StoreError as error:
            errors.append(error)
    if errors:
        raise errors[0]
    return following


def _each(works: Iterator[Work[object]]) -> Work[None]:
    for work in works:
        yield from work
        yield


def _as_one_piece(call: Callable[[], object]) -> Work[object]:
    yield from ()
    return call()


def _empty(account: str, config: Config, key: bytes) -> Window:
    return Window(account, RecipientMask(config.privacy.recipients, key))


def _is_watched(account: str, config: Config) -> bool:
    return account in {one.name for one in config.accounts}


def _add_entries(window: Window, entries: Iterable[Entry]) -> None:
    with _damage_of(window):
        window.restore_entries(list(map(_FIELD_CODE_VALUE, entries)))


def _add_texts(window: Window, texts: Iterable[Texts]) -> None:
    with _damage_of(window):
        for some in texts:
            window.restore_texts(some.field, some.values, some.last)


def _end(texts: Sequence[Texts]) -> tuple[str, int]:
    return texts[-1].field, texts[-1].last


def _opened(window: Window, page: Sequence[tuple[int, bytes]]) -> list[tuple[int, OpenedBlob]]:
    """Compares the checksums of a page. That is a quarter of adding it, and done while the last page is added."""
    with _damage_of(window):
        return [(number, opened(blob)) for number, blob in page]


def _add_opened(window: Window, page: Sequence[tuple[int, OpenedBlob]]) -> None:
    with _damage_of(window):
        window.restore_opened(page)


def _add_rows(window: Window, journal: Iterable[tuple[int, bytes]]) -> None:
    with _damage_of(window):
        window.restore(journal)


@contextmanager
def _damage_of(window: Window) -> Iterator[None]:
    """Raises StoreDamaged if what was stored of the window cannot be read."""
    try:
        yield
    except UnreadableBlob as error:
        raise StoreDamaged(
            f"the messages of account {window.account} in the store cannot be read ({error}): "
            f"{_ADVICE}; it fetches from Routee again what rules look at"
        ) from error
