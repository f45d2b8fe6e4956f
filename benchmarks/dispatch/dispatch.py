"""Measures dispatching: one pass over ten thousand alerts, the memory of twenty thousand, and what one webhook gets in a second."""

import gc
import tempfile
import time
from pathlib import Path
from typing import Final

import msgspec
import trio

from benchmarks.figure import Figure, median_of, timed
from benchmarks.window.memory import resident
from monitor.alerts.evaluator import RuleEvaluator
from monitor.alerts.view import Views
from monitor.config.rules import Rule, rule_of
from monitor.dispatch.dispatcher import Dispatcher
from monitor.model.alert import Alert, LevelClock
from monitor.model.notification import Notification
from monitor.notify.channels.protocol import Outcome, Sent
from monitor.notify.channels.webhook.notifier import WebhookNotifier
from monitor.notify.outbox import deliver
from monitor.notify.render import Templates, sample_notification, sample_view
from monitor.routing.inhibition import Inhibition
from monitor.routing.matchers import parse_matchers
from monitor.routing.route import Route
from monitor.routing.silences import Silence, Silences
from monitor.runtime.clock import HOUR, SECOND, Instant, SystemClock
from monitor.store.async_store import AsyncStore
from monitor.store.open import open_store
from monitor.store.protocol import Commit, Pending
from monitor.window import Window
from tests.fakes.webhook import webhook

NOW: Final[Instant] = 1_795_280_824 * SECOND
RULES: Final = 100


def run(quick: bool) -> list[Figure]:
    """Measures ten thousand alerts of a hundred rules with twenty routes, a thousand silences and a hundred inhibition rules."""
    many = 1_000 if quick else 10_000
    sent = 100 if quick else 1_000
    return [*_looks(many), *_memory(2 * many), trio.run(_sending, sent), trio.run(_handing_over, sent // 10)]


def _looks(many: int) -> list[Figure]:
    views = _views()
    scene = views.evaluator.view_context()
    alerts = [(_alert(i), views, scene) for i in range(many)]

    def first() -> None:
        _dispatch(("...",)).flush(alerts, NOW)

    grouped, quiet = _dispatch(("alertname",)), _dispatch(("...",))
    quiet.apply(quiet.flush(alerts, NOW))
    grouped.apply(grouped.flush(alerts, NOW))
    measured = [(_as_of(alert, 1), of, context) for alert, of, context in alerts]
    return [
        Figure(f"a look at {many:,} new alerts, each a group of its own", timed(first, 3).best, "s", at_most=1.0),
        median_of(
            "the next look, all measured anew, nothing to tell",
            timed(lambda: quiet.flush(measured, NOW + SECOND), 5).seconds,
            "s",
            at_most=1.0,
        ),
        median_of("the same, grouped by name", timed(lambda: grouped.flush(measured, NOW + SECOND), 5).seconds, "s"),
    ]


def _memory(many: int) -> list[Figure]:
    """Measures the memory of alerts that were all notified, with their groups."""
    gc.collect()
    before = resident()
    views = _views()
    dispatch = _dispatch(("alertname",))
    for i in range(many):
        alert = _alert(i)
        views.evaluator.put(alert.rule, alert.group, alert)
    for step in range(3):
        scene = views.evaluator.view_context()
        known = [(alert, views, scene) for some in views.evaluator.alerts.values() for alert in some.values()]
        notifications = dispatch.flush(known, NOW + step * HOUR)
        dispatch.apply(notifications)
        del notifications, known
    gc.collect()
    return [
        Figure(f"memory that {many:,} alerts take, told and grouped", (resident() - before) / 1e6, "MB", at_most=150)
    ]


async def _sending(many: int) -> Figure:
    """Measures a webhook on this machine, from the first read of the queue to the last receipt on the disk."""
    notification = sample_notification([sample_view("Rule", "rate", ["operator"])])
    notifications = [
        msgspec.structs.replace(notification, key=f"key-{i}", episode=f"episode-{i}", group_key=f"group-{i}")
        for i in range(many)
    ]
    with tempfile.TemporaryDirectory() as folder, open_store(Path(folder) / "monitor.db") as store:
        async_store = AsyncStore(store)
        await async_store.commit(Commit(outbox=[Pending("webhook/0", one) for one in notifications]))
        async with webhook() as hook, trio.open_nursery() as nursery:
            clock = SystemClock()
            notifier = WebhookNotifier(hook.url, clock=clock, templates=Templates())
            began = time.perf_counter()
            outbox = await nursery.start(deliver, async_store, {(notification.receiver, "webhook/0"): notifier}, clock)
            while (await async_store.counts())["sent"] < many:  # noqa: ASYNC110 - what is waited for happens in the store
                await trio.sleep(0.02)
            seconds = time.perf_counter() - began
            outbox.stop()
    return Figure("notifications through one webhook, each receipt synced", many / seconds, "a second", at_least=100)


async def _handing_over(many: int) -> Figure:
    """Measures the time from the commit of a notification until its receiver is called, one at a time."""
    notification, called = sample_notification([sample_view("Rule", "rate", ["operator"])]), trio.Event()
    seconds = []

    class Receiver:
        async def send(self, _notification: Notification, _previous: dict[str, str] | None) -> Outcome:
            called.set()
            return Sent()

    with tempfile.TemporaryDirectory() as folder, open_store(Path(folder) / "monitor.db") as store:
        async_store = AsyncStore(store)
        async with trio.open_nursery() as nursery:
            channels = {(notification.receiver, "webhook/0"): Receiver()}
            outbox = await nursery.start(deliver, async_store, channels, SystemClock())
            for i in range(many):
                called = trio.Event()
                one = msgspec.structs.replace(notification, key=f"key-{i}", episode=f"episode-{i}")
                began = time.perf_counter()
                await async_store.commit(Commit(outbox=[Pending("webhook/0", one)]))
                outbox.wake()
                await called.wait()
                seconds.append(time.perf_counter() - began)
            outbox.stop()
    return median_of("from a commit until the receiver is called", [1e3 * one for one in seconds], "ms", at_most=50)


def _views() -> Views:
    rules: list[Rule] = [
        rule_of(
            {
                "name": f"Rule{i}",
                "kind": "rate",
                "by": ["operator", "country"],
                "window": "15m",
                "levels": [{"above": "20%", "severity": "warning"}, {"above": "60%", "severity": "critical"}],
                "labels": {"team": f"team{i % 10}"},
                "annotations": {"summary": "{{ labels.operator }}: {{ value | percent }} of messages fail"},
            }
        )
        for i in range(RULES)
    ]
    return Views(RuleEvaluator(Window("main"), rules, ["all"]), Templates())


def _alert(i: int) -> Alert:
    group = (("operator", f"Operator {i // RULES}"), ("country", f"C{i % 200}"))
    held = (LevelClock(NOW - HOUR, NOW, True), LevelClock())
    return Alert(
        account="main",
        rule=f"Rule{i % RULES}",
        group=group,
        state="firing",
        held=held,
        as_of=NOW,
        pending_at=NOW - HOUR,
        level=1 + i % 2,
        firing_at=NOW - HOUR,
        value=0.2 + i / 1e5,
        threshold=0.2,
        messages=1_000 + i,
        matching=500,
        why=f"{i} of {i + 1_000} messages are above the threshold",
    )


def _as_of(alert: Alert, later: int) -> Alert:
    return msgspec.structs.replace(alert, as_of=alert.as_of + later, value=(alert.value or 0) + 0.001)


def _dispatch(group_by: tuple[str, ...]) -> Dispatcher:
    dispatch = Dispatcher(_tree(group_by), {"ops": ("webhook/0",)}, inhibitions=_inhibitions())
    dispatch.silences = Silences(_silence(i) for i in range(1_000))
    return dispatch


def _tree(group_by: tuple[str, ...]) -> Route:
    below = tuple(
        Route("ops", group_by, key=f"{{}}/{i}", matchers=parse_matchers(f'team="team{i}",country=~"C.*[05]"'))
        for i in range(20)
    )
    return Route("ops", group_by, routes=below)


def _silence(i: int) -> Silence:
    kinds = (
        f'alertname="Rule{i % RULES}",operator="Operator {i}"',
        f'operator=~"Operator {i}.",severity="critical"',
        f'country=~"C{i}|D{i}"',
        f'team!="team3",operator="Operator {i}"',
    )
    return Silence(str(i), parse_matchers(kinds[i % 4]), NOW - HOUR, NOW + HOUR, "Ann", "why", NOW)


def _inhibitions() -> list[Inhibition]:
    return [
        Inhibition(
            parse_matchers(f'alertname="Rule{i}",severity="critical"'),
            parse_matchers(f'alertname=~"Rule{i}.",severity="warning"'),
            ("operator",),
        )
        for i in range(RULES)
    ]
