"""Rule tests: files that describe messages and the alerts that are expected for them.

model          the content of a test file              load      loads files with their rules, and checks that the two agree
series         the messages of a test                  run       evaluates the messages on a virtual clock
account_state  answers about balance and campaigns     scenario  the state of a rule at one time of a test
expectations   expected values like ``> 20%``          compare   compares what is expected with the result
                                                       report    the results as JSON and as JUnit's XML
"""

from monitor.simulation.ruletest.load import Suite, load_suites
from monitor.simulation.ruletest.report import as_json, junit
from monitor.simulation.ruletest.run import Verdict, run_test

__all__ = ["Suite", "Verdict", "as_json", "junit", "load_suites", "run_test"]
