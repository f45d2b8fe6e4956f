"""A small storm through the benchmark: a daemon of its own takes it in, tells it and is told of its end."""

from benchmarks.daemon import storm


def test_a_small_storm_is_measured(monkeypatch):
    monkeypatch.setattr(storm, "QUICK_ALERTS", 60)
    monkeypatch.setattr(storm, "POLLS_WHILE_IT_LASTS", 1)
    longest, over_20, over_50, whole = storm.run(quick=True)
    assert 0 < longest.value < 1e3 * whole.value
    assert over_50.value <= over_20.value
