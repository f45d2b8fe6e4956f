"""Values to put into a store."""

from monitor.model.alert import Alert, LevelClock, State, Transition
from monitor.model.notification import AlertView, Cause, Notification, Reason, Sample
from monitor.routing.acknowledgements import Ack
from monitor.routing.matchers import Matcher
from monitor.routing.route import AggregationGroup
from monitor.routing.silences import Silence
from monitor.routing.time_intervals import TimeInterval
from monitor.runtime.clock import MINUTE
from monitor.store.protocol import Commit, Cursor, OutboxRow, Pending, Store

NOW = 1_780_000_000_000_000


def cursor(search: str = "outbound", as_of: int = NOW) -> Cursor:
    return Cursor("main", search, as_of, NOW - 60 * MINUTE, {"300000000": NOW}, {"Delivered": [1, 2]})


def alert(rule: str = "OperatorFailureRate", operator: str = "Cosmote", resolved_at: int | None = None) -> Alert:
    state: State = "firing" if resolved_at is None else "resolved"
    held = (LevelClock(NOW, NOW + 1, True), LevelClock())
    group = (("operator", operator), ("country", "GR"))
    return Alert("main", rule, group, state, held, NOW, NOW, level=1, resolved_at=resolved_at, value=0.25, why="äöü €")


def group(key: str = "{alertname=Cosmote}", episode: str = "e1", receiver: str = "ops") -> AggregationGroup:
    return AggregationGroup(key, receiver, {"alertname": "x"}, episode, NOW, NOW + MINUTE, told={"f1": "critical"})


def silence(number: int = 1, ends_at: int = NOW + 60 * MINUTE) -> Silence:
    during = TimeInterval(times=((0, 60),), location="Europe/Athens")
    return Silence(f"s{number}", (Matcher("operator", "=~", "Cos.*"),), NOW, ends_at, "Ann", "äöü €", NOW, during)


def ack(fingerprint: str = "f1", until: int | None = None) -> Ack:
    return Ack(fingerprint, NOW, "Ann", "on it", NOW + 1, until, 2)


def transition(fingerprint: str = "f1", at: int = NOW) -> Transition:
    return Transition(fingerprint, "OperatorFailureRate", at, "fired", None, 0.25)


def notification(
    key: str,
    episode: str = "e1",
    reason: Reason = "first",
    receiver: str = "ops",
    at: int = NOW,
    group: str = "",
    fingerprint: str = "f1",
) -> Notification:
    """``group``: the group's key; left out, each episode is of a group of its own."""
    view = AlertView(
        fingerprint=fingerprint,
        name="OperatorFailureRate",
        rule="OperatorFailureRate",
        kind="rate",
        status="firing",
        severity="critical",
        unit="share",
        labels={"operator": "Cosmote"},
        annotations={},
        value=0.25,
        threshold=0.2,
        starts_at=NOW,
        as_of=NOW,
        why="25% > 20%",
        breakdown=(Cause("operator", "Cosmote", 0.9, 45),),
        samples=(Sample("m1", "+30691•••••78", "Failed", "Failed", "Cosmote", NOW),),
        history=(0.1, None, 0.2),
    )
    return Notification(
        key, episode, reason, "firing", receiver, group or f"group of {episode}", {}, {}, {}, (view,), at
    )


def enqueue(store: Store, *notifications: Notification, channel: str = "slack/0") -> list[OutboxRow]:
    """Write them into the outbox; gives that channel's waiting parcels."""
    store.commit(Commit(outbox=[Pending(channel, one) for one in notifications]))
    return store.waiting(notifications[0].receiver, channel, 1_000)


def keys(outbox_rows: list[OutboxRow]) -> list[str]:
    return [outbox_row.notification.key for outbox_row in outbox_rows]
