"""Reading the files of a configuration in threads that may never end."""

import os
import threading
from pathlib import Path

import pytest
import trio
import trio.testing

from monitor.daemon.file_reader import READ_WITHIN, FileReader, FilesUnread
from monitor.runtime.file_reads import read_file, reading


class HungFile:
    """A file on a mount that does not answer until `answer` is called."""

    def __init__(self) -> None:
        self._answered, self.begun = threading.Event(), threading.Event()

    def read(self) -> str:
        with reading(Path("/mnt/away/rules.yaml")):
            self.begun.set()
            self._answered.wait(20)
        return "its text"

    def answer(self) -> None:
        self._answered.set()


@pytest.fixture
def hung() -> HungFile:
    return HungFile()


async def test_a_file_that_is_never_read_is_given_up_and_named(
    autojump_clock: trio.testing.MockClock, hung: HungFile
) -> None:
    began = trio.current_time()
    with pytest.raises(FilesUnread, match=r"/mnt/away/rules\.yaml .* 10 s.* hung mount"):
        await FileReader().run(hung.read)
    assert trio.current_time() - began >= READ_WITHIN
    hung.answer()


async def test_no_more_than_a_few_threads_wait_for_ever(autojump_clock: trio.testing.MockClock, hung: HungFile) -> None:
    reader = FileReader(most=2)
    for _ in range(2):
        with pytest.raises(FilesUnread):
            await reader.run(hung.read)
    with pytest.raises(FilesUnread, match="2 earlier tries still wait"):
        await reader.run(lambda: "never begun")
    hung.answer()
    for _ in range(1000):
        if reader.waiting == 0:
            break
        await trio.to_thread.run_sync(lambda: threading.Event().wait(0.01))
    assert await reader.run(lambda: "read") == "read", "what answered in the end is no hindrance any more"


async def test_what_is_read_is_returned_and_what_is_raised_is_raised(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_bytes(b"rules: []")
    assert await FileReader().run(lambda: read_file(tmp_path / "rules.yaml", 100)) == b"rules: []"
    with pytest.raises(FileNotFoundError):
        await FileReader().run(lambda: read_file(tmp_path / "none.yaml", 100))


async def test_long_work_between_files_is_no_reason_to_give_up(autojump_clock: trio.testing.MockClock) -> None:
    worked = threading.Event()

    def work() -> str:
        with reading(Path("rules.yaml")):
            pass
        worked.wait(20)
        return "done"

    async with trio.open_nursery() as nursery:
        nursery.start_soon(_later, 10 * READ_WITHIN, worked)
        assert await FileReader().run(work) == "done"


async def _later(seconds: float, event: threading.Event) -> None:
    await trio.sleep(seconds)
    event.set()


async def test_a_pipe_is_refused_at_once_where_nobody_waits_for_ever(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="a named pipe, not a file"):
        await FileReader().run(lambda: read_file(tmp_path / "pipe", 100))
    with pytest.raises(OSError, match="directory"):
        await FileReader().run(lambda: read_file(tmp_path, 100))


def test_a_command_still_reads_what_another_program_writes(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.write(write, b"rules: []")
    os.close(write)
    assert read_file(Path(f"/dev/fd/{read}"), 100) == b"rules: []"
    os.close(read)
