"""Five hundred alerts that fire and resolve, each in its turn: what is true of them is a function of how many lives there were.

So it outlives every process that is killed, and does not depend on how fast the machine is.
"""

from typing import Any

from monitor.runtime.clock import SECOND, Instant, parse_iso
from tests.fakes.written import CONFIG

ALERTS = 500
BEGIN: Instant = parse_iso("2026-11-21T10:00:00Z")

RULES = """
rules:
  - {name: Failing, kind: count, match: {status: Failed}, by: [operator], window: 24h, above: 0}
"""
EACH_ALONE = CONFIG.replace(
    "group_by: [alertname], group_wait: 10s, group_interval: 5m",
    "group_by: [alertname, operator], group_wait: 0s, group_interval: 1s",
)


def config(url: str, store_in: dict[str, str]) -> str:
    """Everyone is told at once, by a webhook; ``store_in`` are the keys of the store."""
    keys = "".join(f"{name}: {value}\n" for name, value in store_in.items())
    return EACH_ALONE.replace("console: [{}]", f"webhook: [{{url: {url}}}]") + keys


def incident(number: int, lives: int) -> tuple[float, float]:
    """From which life to which that operator fails, of so many: each once, for a fifth of them, all over before the last."""
    begins = number * lives * 0.7 / ALERTS
    return begins, begins + lives * 0.2


def rows(life: float, lives: int) -> list[dict[str, Any]]:
    """Every operator's one message as Routee would show it in that life (a fraction of it included)."""
    return [_row(number, life, *incident(number, lives)) for number in range(ALERTS)]


def _row(number: int, life: float, begins: float, ends: float) -> dict[str, Any]:
    changed = max((moment for moment in (begins, ends) if moment <= life), default=-1.0)
    return {
        "messageId": f"message-{number}",
        "operator": f"op-{number}",
        "status": "Failed" if changed == begins else "Delivered",
        "date": BEGIN + round(changed * SECOND / 10),
    }
