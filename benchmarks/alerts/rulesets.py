"""The rules of the benchmarks: twenty as a team would write them, and a thousand."""

from collections.abc import Iterator
from itertools import cycle, islice, product
from typing import Any

from monitor.config.rules import Rule, rule_of

BY: tuple[tuple[str, ...], ...] = (
    ("operator", "country"),
    ("operator",),
    ("country",),
    ("campaign",),
    ("from", "country"),
    ("applicationName", "country"),
    ("operator", "originatingService"),
)
WHERE: tuple[dict[str, Any], ...] = (
    {"status": {"is_not": "Queued"}},
    {"direction": "Outbound"},
    {"label": {"is_not": "otp"}},
    {"country": ["GR", "DE", "IT"]},
)
WINDOWS = ("15m", "1h", "6h", "24h", "7d")


def twenty() -> list[Rule]:
    """Returns rates, counts and spikes over 15 minutes to seven days, none above its threshold."""
    return [rule_of({"name": f"R{i}", "severity": "warning"} | what) for i, what in enumerate(_twenty())]


def _twenty() -> Iterator[dict[str, Any]]:
    for window in ("15m", "1h", "24h", "7d"):
        yield {"kind": "rate", "by": ["operator", "country"], "window": window, "above": "90%", "min_messages": 50}
    for by in (["country"], ["campaign"], ["detailedStatus"], ["from", "operator"]):
        yield {"kind": "rate", "by": by, "window": "6h", "of": "all", "above": "99%", "confidence": "95%"}
    yield {"kind": "rate", "by": ["operator"], "window": "24h", "above": "90%", "receipts_within": "60s"}
    yield {"kind": "rate", "where": {"label": "otp"}, "window": "15m", "above": "95%"}
    for by in (["detailedStatus"], ["operator", "country"], ["campaign"]):
        yield {"kind": "count", "by": by, "window": "24h", "above": 10_000_000}
    yield {"kind": "count", "window": "1h", "below": 1}
    hours, days = {"window": "24h", "ago": "1h"}, {"same_hour": "7d"}
    for by in (["operator", "country"], ["detailedStatus"]):
        yield {"kind": "spike", "by": by, "window": "1h", "baseline": days, "above": "1000x", "min_baseline": 1}
        yield {"kind": "spike", "by": by, "window": "1h", "baseline": hours, "above": "1000x", "min_baseline": 1}
    yield {"kind": "spike", "measure": "rate", "by": ["country"], "window": "1h", "baseline": days, "above": "1000x"}
    yield {
        "kind": "spike",
        "by": ["campaign"],
        "window": "15m",
        "baseline": hours,
        "above": "900 sigma",
        "min_baseline": 1,
    }


def thousand() -> list[Rule]:
    """Returns 70 % rates, 25 % spikes and 5 % counts over 70 different combinations of where, by and window; the thresholds differ."""
    questions = [
        {"where": where, "by": list(by), "window": window}
        for where, by, window in islice(product(WHERE, BY, WINDOWS), 70)
    ]
    kinds = cycle(["rate"] * 14 + ["spike"] * 5 + ["count"])
    return [
        rule_of({"name": f"R{i}", **_of_kind(kind, i)} | questions[i % len(questions)])
        for i, kind in zip(range(1000), kinds, strict=False)
    ]


def _of_kind(kind: str, number: int) -> dict[str, Any]:
    match kind:
        case "rate":
            return {"kind": kind, "above": f"{90 + number % 10}%", "min_messages": 20 + number % 50}
        case "spike":
            return {
                "kind": kind,
                "baseline": {"window": "24h", "ago": "1h"},
                "above": f"{500 + number}x",
                "min_baseline": 1,
            }
    return {"kind": kind, "above": 10_000_000 + number}
