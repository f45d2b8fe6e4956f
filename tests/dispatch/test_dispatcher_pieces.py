"""A flush in pieces: whatever else is asked between two of them, it decides what it decides at once, and no piece looks at all alerts."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from monitor.alerts.evaluation import ViewContext
from monitor.alerts.evaluator import RuleEvaluator
from monitor.alerts.view import Views
from monitor.config.rules import rule_of
from monitor.dispatch.dispatcher import Dispatcher, DispatchPlan
from monitor.dispatch.status import taking_snapshot
from monitor.model.alert import Alert, LevelClock
from monitor.notify.render import Templates
from monitor.routing.inhibition import Inhibition
from monitor.routing.matchers import parse_matchers
from monitor.routing.route import Route
from monitor.routing.silences import Silence, Silences
from monitor.routing.suppression import AT_ONCE, Suppression
from monitor.runtime.clock import DAY, HOUR, SECOND, Instant
from monitor.runtime.pieces import Work, at_once
from monitor.window import Window

NOW: Instant = 20_000 * DAY
MANY = 3 * AT_ONCE
RULE = rule_of(
    {"name": "Failing", "kind": "count", "by": ["operator", "country"], "window": "1h", "above": 1}
    | {"severity": "warning"}
)
INHIBITIONS = [
    Inhibition(parse_matchers('operator="O0"'), parse_matchers('operator=~"O[1-9]"'), ("country",)),
    Inhibition(parse_matchers('operator="O1"'), parse_matchers('operator="O2"'), ("country",)),
]
FIRING = {f"a{number}": {"operator": f"O{number % 7}", "country": f"C{number}"} for number in range(MANY)}


def silences(text: str) -> Silences:
    return Silences([Silence(text, parse_matchers(text), NOW - HOUR, NOW + HOUR, "Ann", "why", NOW)])


def alert(number: int) -> Alert:
    return Alert(
        account="main",
        rule=RULE.name,
        group=(("operator", f"O{number % 7}"), ("country", f"C{number // 7}")),
        state="firing",
        held=(LevelClock(NOW - HOUR, NOW, True),),
        as_of=NOW,
        pending_at=NOW - HOUR,
        firing_at=NOW - HOUR,
        level=1,
        value=5.0,
        threshold=1.0,
    )


def in_pieces(work: Work[Any], between: Callable[[], object]) -> tuple[Any, int]:
    """What the work gives, and in how many pieces it was done; something else happens after each of them."""
    number = 1
    while True:
        try:
            next(work)
        except StopIteration as done:
            return done.value, number
        number += 1
        between()


def decided(plan: DispatchPlan) -> tuple[Any, ...]:
    groups = sorted((group.key, sorted(group.told.items()), group.flush_at) for group in plan.groups)
    sent = [
        (one.channel, one.notification.group_key, [view.labels for view in one.notification.alerts])
        for one in plan.outbox
    ]
    return groups, sorted(sent, key=repr), dict(plan.input.suppressed), plan.next_flush


@pytest.mark.parametrize("group_by", [("...",), ("country",)])
def test_a_plan_in_pieces_is_the_plan_that_is_made_at_once(group_by: tuple[str, ...]) -> None:
    evaluator = RuleEvaluator(Window("main"), [RULE], ["all"])
    views, context = Views(evaluator, Templates()), evaluator.view_context()
    alerts: list[tuple[Alert, Views, ViewContext]] = [(alert(number), views, context) for number in range(MANY)]

    def dispatcher() -> Dispatcher:
        made = Dispatcher(Route("ops", group_by), {"ops": ("webhook/0",)}, inhibitions=INHIBITIONS)
        made.silences = silences('country=~"C1.*"')
        made.most_groups = MANY
        return made

    one, other = dispatcher(), dispatcher()
    few = [(alert(number), views, context) for number in range(3, 10)]
    for step in range(2):  # the second one finds groups and what is remembered of the first
        expected = one.flush(alerts, NOW + step)
        found, pieces = in_pieces(
            other.flushing(alerts, NOW + step), lambda: at_once(taking_snapshot(other, few, NOW + HOUR))
        )
        assert decided(found) == decided(expected)
        assert pieces > 4 * MANY / AT_ONCE
        one.apply(expected)
        other.apply(found)


def test_suppression_in_pieces_holds_other_silences_and_alerts_apart() -> None:
    mine, others = silences('country=~"C1.*"'), silences('operator="O3"')
    suppression, few = Suppression(INHIBITIONS), {"a10": FIRING["a10"], "a4": {"operator": "O4", "country": "C7"}}
    expected = Suppression(INHIBITIONS).of(FIRING, mine, NOW)
    for _ in range(2):
        found, pieces = in_pieces(suppression.finding(FIRING, mine, NOW), lambda: suppression.of(few, others, NOW))
        assert found == expected
        assert pieces > MANY / AT_ONCE
    assert suppression.of(few, others, NOW) == Suppression(INHIBITIONS).of(few, others, NOW)


def test_a_snapshot_in_pieces_shows_the_alerts_of_one_moment() -> None:
    evaluator = RuleEvaluator(Window("main"), [RULE], ["all"])
    views, context = Views(evaluator, Templates()), evaluator.view_context()
    known, dispatcher = (
        {number: alert(number) for number in range(MANY)},
        Dispatcher(Route("ops", ("...",)), {"ops": ("webhook/0",)}),
    )
    taking = taking_snapshot(dispatcher, ((one, views, context) for one in known.values()), NOW)
    snapshot, pieces = in_pieces(taking, known.popitem)
    assert len(list(snapshot.alerts())) == MANY > len(known)
    assert pieces > MANY / AT_ONCE


class ComparedName(str):
    """A fingerprint that counts how often it is compared."""

    compared = 0
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        ComparedName.compared += 1
        return str.__eq__(self, other)


def test_the_ends_of_alerts_that_were_only_counted_are_not_compared_each_with_each() -> None:
    evaluator = RuleEvaluator(Window("main"), [RULE], ["all"])
    views, context = Views(evaluator, Templates()), evaluator.view_context()
    dispatcher = Dispatcher(Route("ops"), {"ops": ("webhook/0",)}, most=10)
    firing = [alert(number) for number in range(MANY)]
    dispatcher.apply(dispatcher.flush([(one, views, context) for one in firing], NOW))
    [(key, group)] = dispatcher.groups.items()
    assert len(group.counted) == MANY - 10
    counted = tuple(ComparedName(one) for one in group.counted)
    dispatcher.groups[key] = msgspec.structs.replace(group, counted=counted)
    over = [
        msgspec.structs.replace(one, state="resolved", resolved_at=NOW + HOUR, because="recovered") for one in firing
    ]
    ComparedName.compared = 0
    plan = dispatcher.flush([(one, views, context) for one in over], NOW + HOUR)
    [sent] = plan.outbox
    assert (sent.notification.status, len(sent.notification.alerts)) == ("resolved", 10)
    assert MANY - 10 <= ComparedName.compared <= 4 * MANY


def test_an_overflow_of_which_the_store_lost_an_alert_takes_in_others() -> None:
    evaluator = RuleEvaluator(Window("main"), [RULE], ["all"])
    views, context = Views(evaluator, Templates()), evaluator.view_context()
    dispatcher = Dispatcher(Route("ops", ("...",)), {"ops": ("webhook/0",)})
    dispatcher.most_groups = 2
    known = {one.fingerprint: (one, views, context) for one in map(alert, range(10))}
    dispatcher.apply(dispatcher.flush(known.values(), NOW))
    [overflow] = [group for group in dispatcher.groups.values() if len(group.told) > 1]
    lost = next(iter(overflow.told))
    del known[lost]
    known |= {one.fingerprint: (one, views, context) for one in map(alert, range(10, 20))}
    dispatcher.apply(dispatcher.flush(known.values(), NOW + SECOND))
    dispatcher.apply(dispatcher.flush(known.values(), NOW + HOUR // 2))
    assert lost in dispatcher.groups[overflow.receiver, overflow.key].told, "it counts as firing"
    assert dispatcher.notified_fingerprints() == {lost, *known}
