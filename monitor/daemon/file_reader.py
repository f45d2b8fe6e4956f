"""Reads files in a thread that is given up if one of them does not answer: a hung mount holds a thread for ever."""

from collections.abc import Callable
from typing import Final, TypeVar

import trio

from monitor.runtime.errors import MonitorError
from monitor.runtime.file_reads import FileReads

READ_WITHIN: Final = 10.0
"""Seconds that one file has to be found, opened and read in. What is done with its content may last longer."""
LOOK_EVERY: Final = 1.0
"""Seconds between two looks whether the same file is still being read."""
MOST_GIVEN_UP: Final = 4
"""The most threads that wait for files that do not answer. They end once these do, or with the process."""

T = TypeVar("T")


class FilesUnread(MonitorError):
    """A file did not answer in time, so the files were not read."""


class FileReader:
    """Runs what reads files, each time in a thread of its own; at most ``most`` of them at once, whether given up or not."""

    def __init__(self, most: int = MOST_GIVEN_UP) -> None:
        self._threads = trio.CapacityLimiter(most)

    @property
    def waiting(self) -> int:
        """How many threads run, those that were given up too."""
        return int(self._threads.borrowed_tokens)

    async def run(self, call: Callable[[], T]) -> T:
        """Returns what ``call`` returns. Raises FilesUnread if a file does not answer in time, and what the call raises."""
        if not self._threads.available_tokens:
            raise FilesUnread(
                f"the files were not read, because {self.waiting} earlier tries still wait for a file that does not answer: "
                "see to the mount that hangs"
            )
        reads, found, failed = FileReads(), list[T](), list[Exception]()

        def kept() -> None:
            try:
                found.append(reads.watching(call))
            except Exception as error:  # noqa: BLE001 - it is raised below, not as one of a group
                failed.append(error)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(_give_up, reads, nursery.cancel_scope)
            await trio.to_thread.run_sync(kept, abandon_on_cancel=True, limiter=self._threads)
            nursery.cancel_scope.cancel()
        if failed:
            raise failed[0]
        if not found:
            raise FilesUnread(
                f"{reads.present[1] or 'a file'} could not be read within {READ_WITHIN:.0f} s, and the try was given up: "
                "is it on a hung mount?"
            )
        return found[0]


async def _give_up(reads: FileReads, scope: trio.CancelScope) -> None:
    """Cancels the scope once the same file has been read for too long."""
    known, since = reads.present, trio.current_time()
    while known[1] is None or trio.current_time() - since < READ_WITHIN:
        await trio.sleep(LOOK_EVERY)
        if reads.present != known:
            known, since = reads.present, trio.current_time()
    scope.cancel()
