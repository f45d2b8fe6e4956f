"""Rule tests: files that describe messages and the alerts that are expected of them.

model   what a test file holds            load    files with their rules, and whether the two agree
series  the messages of a test            run     the messages judged on a virtual clock, and held against what is expected
wanted  ``> 20%``: values to compare      report  what came of it, for people and for JUnit
"""

from monitor.simulation.ruletest.load import Suite, load_suites
from monitor.simulation.ruletest.report import as_json, junit
from monitor.simulation.ruletest.run import Verdict, run_test

__all__ = ["Suite", "Verdict", "as_json", "junit", "load_suites", "run_test"]
