"""The daemon's status in one object for people and programs: `GET /api/v1/status` and ``routee-monitor status``.

It is built from plain values: the daemon takes them from its memory, the command from the store.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import Any

from monitor.config.monitor import Config, Search
from monitor.daemon.search_plan import plan_of
from monitor.ingest.poll.plan import SearchPlan, share_read
from monitor.model.alert import State
from monitor.model.builtin_alerts import MONITOR_BLIND
from monitor.model.finding import excess
from monitor.model.notification import AlertView
from monitor.model.tone import URGENCY, tone
from monitor.routing.acknowledgements import Ack
from monitor.routing.silences import Silence
from monitor.runtime.clock import SECOND, Duration, Instant, iso
from monitor.runtime.dataclass import dataclass
from monitor.store.protocol import Cursor

Outbox = Mapping[tuple[str, str], tuple[int, Instant]]
"""By receiver and channel: how many notifications wait, and since when the oldest does."""


@dataclass(frozen=True, slots=True)
class Overview:
    """The values of the status at one time.

    ``alerts`` are with their states; ``counts`` and ``outbox`` are as the store returns them, empty if they are not known. ``troubles`` says, by
    account and search, why polls fail now, and ``unread`` how far back messages are still to be read beside the resweeps.
    """

    cursors: Sequence[Cursor]
    alerts: Sequence[tuple[State, AlertView]]
    silences: Sequence[Silence]
    acks: Sequence[Ack]
    counts: Mapping[str, int]
    outbox: Outbox
    troubles: Mapping[tuple[str, str], str] = field(default_factory=dict)
    unread: Mapping[tuple[str, str], Duration] = field(default_factory=dict)


def overview(config: Config, snapshot: Overview, now: Instant) -> dict[str, Any]:
    """Returns the status as JSON has it. Shares are fractions, ages seconds, times ISO-8601 in UTC."""
    cursors = {(cursor.account, cursor.search): cursor for cursor in snapshot.cursors}
    blind = _blind(snapshot.alerts)
    return {
        "searches": [
            _search(one, cursors.get(key), now, snapshot.unread.get(key, 0))
            | {"blind": blind.get(key), "trouble": snapshot.troubles.get(key, "")}
            for one in config.searches
            for key in [(one.account, one.name)]
        ],
        "alerts": _alerts(snapshot.alerts) | {"acknowledged": len(snapshot.acks)},
        "outbox": _outbox(snapshot.outbox),
        "deadLetters": snapshot.counts.get("dead"),
        "setAside": snapshot.counts.get("quarantined", 0 if snapshot.counts else None),
        "silences": dict.fromkeys(("active", "pending"), 0)
        | Counter(state for one in snapshot.silences if (state := one.state(now)) != "expired"),
    }


def caught_up(plan: SearchPlan, cursor: Cursor | None, unread: Duration = 0) -> float:
    """Returns the share of the past that was read (`monitor.ingest.poll.plan.share_read`); 0 before the first poll."""
    return 0.0 if cursor is None else share_read(plan, cursor.as_of, cursor.covered_since, cursor.swept, unread)


def _search(search: Search, cursor: Cursor | None, now: Instant, unread: Duration) -> dict[str, Any]:
    return {
        "account": search.account,
        "search": search.name,
        "every": search.every / SECOND,
        "lastPoll": None if cursor is None else iso(cursor.as_of),
        "age": None if cursor is None else max(now - cursor.as_of, 0) / SECOND,
        "coveredSince": None if cursor is None else iso(cursor.covered_since),
        "caughtUp": caught_up(plan_of(search), cursor, unread),
    }


def _blind(alerts: Iterable[tuple[State, AlertView]]) -> dict[tuple[str, str], str]:
    """Returns why a search is blind, by account and search."""
    return {
        (view.labels.get("account", ""), view.labels.get("search", "")): view.why
        for state, view in alerts
        if state == "firing" and view.rule == MONITOR_BLIND.name
    }


def _alerts(alerts: Sequence[tuple[State, AlertView]]) -> dict[str, Any]:
    reports = sum(state == "firing" and view.is_report for state, view in alerts)
    firing = [view for state, view in alerts if state == "firing" and not view.is_report]
    by_severity = Counter(view.severity for view in firing)
    worst = min(firing, key=_urgency, default=None)
    return {
        "firing": len(firing),
        "reports": reports,
        "pending": sum(state == "pending" for state, _ in alerts),
        "bySeverity": dict(sorted(by_severity.items(), key=lambda one: URGENCY[tone(one[0], "firing")])),
        "worst": None
        if worst is None
        else {"labels": worst.labels, "severity": worst.severity, "startsAt": iso(worst.starts_at)},
    }


def _urgency(view: AlertView) -> tuple[int, float, Instant]:
    beyond = excess(view.value, view.threshold, below=view.comparison == "below")
    return URGENCY[tone(view.severity, "firing")], -beyond, view.starts_at


def _outbox(outbox: Outbox) -> dict[str, Any]:
    oldest = min((at for _, at in outbox.values()), default=None)
    return {
        "waiting": sum(count for count, _ in outbox.values()),
        "oldest": None if oldest is None else iso(oldest),
        "channels": [
            {"receiver": receiver, "channel": channel, "waiting": count, "oldest": iso(at)}
            for (receiver, channel), (count, at) in outbox.items()
        ],
    }
