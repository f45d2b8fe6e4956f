"""A sigma of a share on steady traffic of few messages, through a whole rule test."""

from pathlib import Path

import numpy as np
import yaml

from monitor.simulation.ruletest import load_suites, run_test


def test_steady_failures_of_small_windows_do_not_fire_at_four_sigma(tmp_path: Path) -> None:
    random = np.random.default_rng(20)
    failed = np.flatnonzero(random.random(4 * 60 * 9) < 0.02) * 15 - 3 * 3600
    rule = {
        "name": "FailuresRise",
        "kind": "spike",
        "measure": "rate",
        "window": "5m",
        "min_messages": 15,
        "baseline": {"window": "1h", "ago": "5m"},
        "above": "4 sigma",
    }
    sent = [{"at": "-3h", "during": "9h", "rate": 4, "status": "Delivered"}]
    sent += [{"at": f"{at}s", "count": 1, "status": "Undelivered"} for at in failed.tolist()]
    calm = [{"at": f"{at}m", "rule": "FailuresRise", "alerts": []} for at in range(0, 355, 5)]
    test = {"name": "steady", "start": "2026-11-21T02:00:00Z", "every": "5m", "messages": sent, "expect": calm}
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"rules": [rule]}))
    (tmp_path / "test.yaml").write_text(yaml.safe_dump({"rules": ["rules.yaml"], "tests": [test]}))
    (suite,) = load_suites([str(tmp_path / "test.yaml")], {})
    assert run_test(suite, 0).message == ""
