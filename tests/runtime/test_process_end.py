"""The end of a process in which threads are still at work, each tried in a process of its own."""

import subprocess
import sys

import pytest

VALIDATING = """
import threading
from pydantic import BaseModel, field_validator

begun = threading.Event()

class Model(BaseModel):
    value: int

    @field_validator("value", mode="before")
    @classmethod
    def never(cls, value):
        begun.set()
        while True:
            pass

threading.Thread(target=Model.model_validate, args=({"value": 1},), daemon=True).start()
begun.wait()
"""
WRITING = """
import sys, threading

def write():
    sys.stdout.write("x" * 1_000_000)
    sys.stdout.flush()

threading.Thread(target=write, daemon=True).start()
sys.stdin.read()
"""
BUFFERED = """
import sys
sys.stdout.write("last words")
sys.stderr.write("here too")
"""
END = "from monitor.runtime.process_end import end_process\nend_process(3)"


# -E: with PYTHONUNBUFFERED the streams have no lock.
def ended(script: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-E", "-c", script + END]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)


def test_a_thread_that_is_within_pydantic_does_not_abort_the_process() -> None:
    done = ended(VALIDATING)
    assert (done.returncode, done.stderr) == (3, "")


def test_what_was_printed_is_written() -> None:
    done = ended(BUFFERED)
    assert (done.returncode, done.stdout, done.stderr) == (3, "last words", "here too")


def test_a_thread_whose_output_nobody_reads_is_not_waited_for() -> None:
    with subprocess.Popen(
        [sys.executable, "-E", "-c", WRITING + END], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.read(1)  # it writes, and waits for somebody to read the rest
        process.stdin.close()
        try:
            assert process.wait(30) == 3
        finally:
            process.kill()


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_a_stream_that_is_closed_changes_nothing(closed: str) -> None:
    assert ended(f"import sys\nsys.stdout.write('x')\nsys.{closed}.close()\n").returncode == 3
