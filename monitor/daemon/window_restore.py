"""Restores an account's window from the store: for a command at once, for a daemon in small steps."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Final

from monitor.config.monitor import Config
from monitor.model.privacy import RecipientMask
from monitor.runtime.errors import StoreDamaged
from monitor.store.protocol import Commit, Entry, FirstPages, Store
from monitor.window import UnreadableBlob, Window
from monitor.window.malloc_trim import trim_heap

if TYPE_CHECKING:
    from monitor.store.async_store import AsyncStore  # a command that reads the store does without trio


NOTHING_READ: Final = FirstPages([], [])


def restored_window(store: Store, account: str, config: Config, key: bytes) -> Window:
    """Returns an account's stored window; empty if the account was removed. Blocking: for a command.

    Raises StoreError, and StoreDamaged if an entry of its journal cannot be read.
    """
    window = _empty(account, config, key)
    if _is_watched(account, config):
        entry = None
        while entries := store.entries_page(account, entry):
            _add_entries(window, entries)
            entry = entries[-1]
        _add_rows(window, store.journal(account))
        window.restored()
    return window


async def restored_or_empty(
    store: "AsyncStore", account: str, config: Config, key: bytes, first: FirstPages = NOTHING_READ
) -> tuple[Window, str]:
    """Returns an account's window, and why it is empty if its messages cannot be read; its searches then start again.

    ``first`` is what was read of it already.

    A large window takes minutes. It is made beside the store's thread, which reads a page at a time, so that other calls have their turn, and the
    task can be cancelled in between. It is prepared for rules. Its alerts stay: none of them can end before the messages behind it were read
    again (`monitor.alerts.evaluator`). Raises StoreError.
    """
    import trio

    window = _empty(account, config, key)
    try:
        if _is_watched(account, config):
            await _fill(window, store, first)
        works = [*window.indexing(), *window.preparing()]
        async with (
            trio.open_nursery() as nursery
        ):  # two threads that take about as long; more would wait for each other
            nursery.start_soon(store.work, partial(_each, works[::2]))
            nursery.start_soon(store.work, partial(_each, works[1::2]))
        await store.work(trim_heap)
    except StoreDamaged as error:
        await store.commit(Commit(forgotten=[account]))
        return _empty(account, config, key), str(error).partition(": start")[0]
    return window, ""


async def _fill(window: Window, store: "AsyncStore", first: FirstPages) -> None:
    async def more_entries(read: list[Entry]) -> list[Entry]:
        return await store.entries_page(window.account, *read[-1:])

    async def more_journal(read: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
        return await store.journal_page(window.account, read[-1][0] if read else 0)

    entries, has_more = first.entries, first.has_more_entries
    while entries or has_more:
        await store.work(partial(_add_entries, window, entries))
        entries = await more_entries(entries) if has_more else []
        has_more = bool(entries)
    page, has_more = first.journal, first.has_more_journal
    while page or has_more:
        await store.work(partial(_add_rows, window, page))
        page = await more_journal(page) if has_more else []
        has_more = bool(page)


def _each(works: Iterable[Callable[[], object]]) -> None:
    for work in works:
        work()


def _empty(account: str, config: Config, key: bytes) -> Window:
    return Window(account, RecipientMask(config.privacy.recipients, key))


def _is_watched(account: str, config: Config) -> bool:
    return account in {one.name for one in config.accounts}


def _add_entries(window: Window, entries: Iterable[Entry]) -> None:
    window.restore_entries([(entry.field, entry.code, entry.value) for entry in entries])


def _add_rows(window: Window, journal: Iterable[tuple[int, bytes]]) -> None:
    try:
        window.restore(journal)
    except UnreadableBlob as error:
        raise StoreDamaged(
            f"the messages of account {window.account} in the store cannot be read ({error}): "
            "restart the daemon; it fetches the last 7 days from Routee again"
        ) from error
