"""The rules of rules/ on simulated weeks without trouble, and on each of the local Routee's incidents.

    python -m benchmarks.alerts.starter_pack --seeds 2 3 4            # a clean week each, after a week of learning
    python -m benchmarks.alerts.starter_pack --seeds 2 --incidents    # an hour of each incident, one after the other
    python -m benchmarks.alerts.starter_pack --also SlowOneTimePasswordsP95 --days 1    # with a rule that is off as shipped

A clean week takes about ten minutes of one core and half a gigabyte. The alerts are printed at the end of each day.
docs/rules/starter-pack.md shows what came out.
"""

import argparse
import time
from pathlib import Path

from monitor.config.rules import Rule, load_rules
from monitor.runtime.clock import DAY, HOUR, MINUTE
from tests.fakes.simulated import Account, FiredAlert, counted, lines

START = 20_700 * DAY
LEARNED = 7 * DAY + 6 * HOUR
INCIDENTS = (
    "operator_outage",
    "carrier_filter",
    "slow_delivery",
    "failing_campaign",
    "detailed_status",
    "silence",
)


def main() -> None:
    """Runs what the command line asks for."""
    options = _options()
    for seed in options.seeds:
        account = Account(_pack(options.also), START, seed=seed, rate=options.rate, every=options.every * MINUTE)
        began = time.perf_counter()
        account.learn(LEARNED)
        print(f"seed {seed}: {account.messages:,} messages learned in {time.perf_counter() - began:.0f} s", flush=True)
        began, learned = time.perf_counter(), account.messages
        if options.incidents:
            _incidents(account)
        else:
            _clean(account, options.days)
        print(f"  {account.messages - learned:,} messages watched in {time.perf_counter() - began:.0f} s", flush=True)


def _pack(also: list[str]) -> list[Rule]:
    """Returns the shipped rules, with those in ``also`` enabled."""
    rules = load_rules(sorted(Path("rules").glob("*.yaml")), {})
    return [rule.model_copy(update={"enabled": True}) if rule.name in also else rule for rule in rules]


def _clean(account: Account, days: int) -> None:
    start, fired = account.now, list[FiredAlert]()
    for day in range(1, days + 1):
        today = account.watch(DAY)
        alarms = [one for one in today if one.severity != "info"]
        fired += today
        print(f"  day {day}: {len(alarms)} alarms, {len(today) - len(alarms)} reports", flush=True)
        for line in lines(alarms, start):
            print(f"    {line}", flush=True)
    print(f"  {days} clean days: {counted(fired).total()} alarms {dict(counted(fired))}")


def _incidents(account: Account) -> None:
    account.watch(10 * HOUR)  # until the afternoon, when traffic is that of daytime
    for kind in INCIDENTS:
        start = account.now
        account.incident(kind, 0, HOUR)
        fired = account.watch(2 * HOUR)
        first = {one.rule: round((one.at - start) / MINUTE) for one in reversed(fired) if one.severity != "info"}
        spoke = ", ".join(f"{rule} after {minutes} min" for rule, minutes in sorted(first.items(), key=lambda p: p[1]))
        print(f"  {kind}: {spoke or 'nothing'}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[2])
    parser.add_argument("--rate", type=float, default=100, help="messages a minute, in the mean of a week")
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--every", type=int, default=2, help="minutes between polls")
    parser.add_argument("--incidents", action="store_true")
    parser.add_argument("--also", nargs="+", default=[], metavar="RULE", help="rules to switch on")
    return parser.parse_args()


if __name__ == "__main__":
    main()
