"""Measures each part that decides whether an alert is sent: inhibition, silences, time intervals, and parsing of hostile matchers."""

import contextlib
import random
from functools import partial

from benchmarks.figure import Figure, median_of, timed
from monitor.routing.inhibition import Inhibition, inhibited
from monitor.routing.matchers import parse_matcher, parse_matchers
from monitor.routing.silences import Silence, Silences
from monitor.routing.time_intervals import TimeInterval
from monitor.runtime.clock import HOUR, SystemClock

Labels = dict[str, str]

SILENCES = (
    'alertname="Rule{0}",operator="{1}"',
    'alertname="Rule{0}",country=~"C{0}|C{0}."',
    'operator=~"{1}.?",severity!="critical"',
)
HOSTILE = (
    "a=" + "x" * 199_000,
    ",".join(f'"a {number}"=b' for number in range(12_000)),
    'a="' + '\\"' * 99_000 + '"',
    '"a b"="' + "x" * 190_000,
    "," * 199_000,
    "a=~" + "(x|y)" * 1_999,
    r"a=~" + r"\pL" * 3_000,
    "a=~" + "(" * 9_000,
    "a=b," * 10**6,
)
"""Long, deep or repetitive texts, which take a naive parser a long time."""


def run(quick: bool) -> list[Figure]:
    """Returns medians; of the hostile texts, the slowest."""
    chance = random.Random(1)
    alerts = {f"{number:05}": _labels(number, chance) for number in range(1_000 if quick else 10_000)}
    rules = [_inhibition(number) for number in range(100)]
    silences, now = _silences(chance), SystemClock().now()
    night = TimeInterval(times=((22 * 60, 1440), (0, 6 * 60)), location="Europe/Athens")
    return [
        median_of(
            f"100 rules of inhibition over {len(alerts):,} alerts",
            timed(lambda: inhibited(rules, alerts), 5).seconds,
            "s",
            at_most=0.5,
        ),
        median_of(
            f"1,000 silences against each of {len(alerts):,} alerts",
            timed(lambda: [silences.silencing(one, now) for one in alerts.values()], 5).seconds,
            "s",
            at_most=0.6,
        ),
        median_of(
            "an instant held against an interval of a zone with changing clocks",
            [
                seconds / 5_000 * 1e6
                for seconds in timed(lambda: [night.contains(hour * HOUR) for hour in range(5_000)], 5).seconds
            ],
            "µs",
            at_most=100,
        ),
        Figure(
            "a hostile matcher read or refused, the slowest",
            max(timed(partial(_read, text), 3).median for text in HOSTILE),
            "s",
            at_most=2,
        ),
    ]


def _labels(number: int, chance: random.Random) -> Labels:
    return {
        "alertname": f"Rule{chance.randrange(40)}",
        "country": f"C{number % 90}",
        "operator": f"operator-{chance.randrange(300)}",
        "severity": chance.choice(["critical", "warning", "warning"]),
    }


def _inhibition(number: int) -> Inhibition:
    return Inhibition(
        parse_matchers(f'alertname="Rule{number % 40}",severity="critical"'),
        parse_matchers(f'alertname=~"Rule.*{number % 7}",severity!="critical"'),
        ("country",),
    )


def _silences(chance: random.Random) -> Silences:
    now = SystemClock().now()
    matchers = [
        parse_matchers(SILENCES[number % 3].format(number % 20, f"operator-{chance.randrange(300)}"))
        for number in range(1_000)
    ]
    return Silences(
        [
            Silence(str(number), each, now - HOUR, now + HOUR, "ann", "upgrade", now)
            for number, each in enumerate(matchers)
        ]
    )


def _read(text: str) -> None:
    for parse in (parse_matchers, parse_matcher):
        with contextlib.suppress(ValueError):
            parse(text)
