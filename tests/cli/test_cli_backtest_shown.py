"""The backtests that are shown in the documentation can be run as they stand there."""

import re
import shlex
from pathlib import Path

import pytest
from cli_folder import Folder

from monitor.cli.backtest import _said_of_step
from monitor.runtime.clock import MINUTE
from monitor.simulation.backtest.step_size import EvaluationStep

PAGE = (Path(__file__).parents[2] / "docs" / "backtest.md").read_text("utf-8")
LINES = re.findall(r"^routee-monitor (backtest.*)$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("line", LINES)
def test_a_line_of_the_documentation_runs(
    line: str, polled: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = polled.invoke(*shlex.split(line))
    assert outcome.exit_code == 0, outcome.stderr
    written = re.findall(r"--(?:html|svg) (\S+)", line)
    assert all((tmp_path / name).stat().st_size > 1_000 for name in written)


def test_there_are_lines_to_run() -> None:
    assert len(LINES) >= 5


@pytest.mark.parametrize(
    ("seconds", "said"), [(61, "about 1 minute."), (150, "about 2 minutes."), (600, "about 10 minutes.")]
)
def test_how_long_it_takes_is_said_in_words(seconds: float, said: str) -> None:
    assert [*_said_of_step(EvaluationStep(MINUTE, seconds), MINUTE, chosen=True)] == [f"This takes {said}"]
