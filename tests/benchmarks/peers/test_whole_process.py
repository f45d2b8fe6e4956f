"""Whole processes are measured without what measures them."""

import sys
from pathlib import Path

from benchmarks.peers.whole_process import measured
from tests.fakes.waiting import GUARD

MB = 1_000_000


def test_the_memory_of_a_process_is_its_own(tmp_path: Path) -> None:
    ballast = b"x" * (300 * MB)  # what the parent has does not count
    with measured([sys.executable, "-S", "-c", f"held = b'x' * {100 * MB}"], tmp_path) as process:
        usage = process.wait(GUARD)
    assert len(ballast) == 300 * MB
    assert usage.code == 0
    assert usage.cpu > 0
    assert 100 * MB < usage.memory < 200 * MB


def test_a_process_is_ended_with_the_block_and_its_output_kept(tmp_path: Path) -> None:
    waits = "import signal; print('ready', flush=True); signal.pause()"
    with measured([sys.executable, "-S", "-c", waits], tmp_path) as process:
        assert process.is_running
        assert process.usage is None
    assert not process.is_running
    assert process.usage is not None
    assert process.usage.code != 0


def test_what_a_failing_process_says_is_in_its_log(tmp_path: Path) -> None:
    with measured([sys.executable, "-S", "-c", "raise SystemExit('no')"], tmp_path) as process:
        assert process.wait(GUARD).code == 1
    assert process.log.read_text() == "no\n"
