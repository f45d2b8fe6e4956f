"""Output that nobody reads: its writers do not wait, and what is lost is counted."""

import io
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from monitor.runtime.unblocked_stream import UnblockedStream

PATIENCE = 60


@pytest.fixture
def pipe() -> Iterator[tuple[int, io.TextIOWrapper]]:
    """Yields the end of a pipe that is read, and the stream that leads to it."""
    to_read, to_write = os.pipe()
    with os.fdopen(to_write, "w", encoding="utf-8") as stream:
        yield to_read, stream
        with suppress(OSError):  # a test has closed it
            os.close(to_read)


def read(from_pipe: int, until: str) -> str:
    """Reads until the text has come."""
    found = b""
    while until.encode() not in found:
        found += os.read(from_pipe, 65536)
    return found.decode()


def test_texts_come_in_their_order(pipe: tuple[int, io.TextIOWrapper]) -> None:
    stream = UnblockedStream(pipe[1])
    for number in range(1000):
        stream.write(f"{number}\n")
    stream.drain(PATIENCE)
    assert read(pipe[0], "999\n") == "".join(f"{number}\n" for number in range(1000))


def test_a_writer_does_not_wait_for_a_reader_and_what_is_lost_is_counted(pipe: tuple[int, io.TextIOWrapper]) -> None:
    stream = UnblockedStream(pipe[1], most=300_000)
    line = "x" * 99_999 + "\n"
    for _ in range(7):
        stream.write(line)
    stream.drain(0)
    found = read(pipe[0], "lost")
    assert found.startswith(line * 3 + "4 texts were lost here")


def test_what_was_lost_is_said_where_it_is_missing(pipe: tuple[int, io.TextIOWrapper]) -> None:
    stream = UnblockedStream(pipe[1], most=100_000, lost="{} lost\n".format)
    stream.write("x" * 99_000 + "\n")
    stream.write("y" * 99_000 + "\n")
    assert read(pipe[0], "1 lost\n") == "x" * 99_000 + "\n1 lost\n"
    stream.write("after\n")
    assert read(pipe[0], "after\n") == "after\n"


def test_it_goes_on_once_somebody_reads_again(pipe: tuple[int, io.TextIOWrapper]) -> None:
    stream = UnblockedStream(pipe[1], most=100_000)
    stream.write("x" * 99_000 + "\n")
    stream.write("y" * 99_000 + "\n")
    read(pipe[0], "lost here: nobody read this output for a while\n")
    stream.write("after\n")
    assert read(pipe[0], "after\n") == "after\n"


def test_it_waits_where_another_process_has_set_the_file_to_not_wait(pipe: tuple[int, io.TextIOWrapper]) -> None:
    os.set_blocking(pipe[1].fileno(), False)
    stream, lines = UnblockedStream(pipe[1]), [f"{number} {'x' * 999}\n" for number in range(500)]
    for line in lines:
        stream.write(line)
    assert read(pipe[0], "\n499 " + "x" * 999 + "\n") == "".join(lines)


def test_where_nobody_can_read_any_more_all_is_dropped(pipe: tuple[int, io.TextIOWrapper]) -> None:
    """An error in the thread would be a failure of the test."""
    stream = UnblockedStream(pipe[1])
    os.close(pipe[0])
    for _ in range(3):
        assert stream.write("one\n") == 4
        stream.drain(PATIENCE)


def test_a_file_has_all_at_once(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as file:
        stream = UnblockedStream(file)
        stream.write("one\n")
        assert (tmp_path / "log").read_text() == "one\n"
        assert not stream.isatty()
        assert stream.fileno() == file.fileno()
