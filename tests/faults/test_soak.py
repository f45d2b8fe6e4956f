"""The soak, small: four hours in a few seconds. A week is `python -m benchmarks.daemon.soak`."""

from benchmarks.daemon.soak import run
from monitor.runtime.clock import HOUR


def test_four_hours_of_traffic_and_trouble_end_with_exact_values_and_everybody_told() -> None:
    report = run(4 * HOUR, 4, lambda line: None)
    assert report.wrong == []
    assert report.messages > 80_000
    assert report.fired >= 3, "there were incidents, and blindness"
    assert len(report.resident) >= 4
