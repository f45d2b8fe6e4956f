"""A thread writes what is handed over, and what finds no room is counted and told of."""

from collections.abc import Sequence

import pytest

from monitor.runtime.background_writer import BackgroundWriter

PATIENCE = 20.0


class Output:
    """Keeps what is written; fails with ``error`` instead."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.written: list[str] = []

    def write(self, items: Sequence[str]) -> None:
        if self.error is not None:
            raise self.error
        self.written += items


def writer(output: Output, most: int = 10) -> BackgroundWriter[str]:
    return BackgroundWriter(output.write, len, "{} lost".format, most)


def test_an_item_that_is_larger_than_what_may_wait_is_said_to_be_lost_at_once() -> None:
    output = Output()
    one = writer(output)
    one.put("x" * 11)
    one.drain(PATIENCE)
    assert output.written == ["1 lost"]


@pytest.mark.parametrize("error", [BrokenPipeError(), ValueError("closed"), RuntimeError("anything else")])
def test_after_an_error_nothing_is_waited_for(error: Exception) -> None:
    one = writer(Output(error))
    for _ in range(3):
        one.put("item")
        one.drain(PATIENCE)
    one.put("x" * 11)
    one.drain(0.0)
