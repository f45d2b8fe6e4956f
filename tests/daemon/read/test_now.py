"""Who is said to be notified of an alert: a receiver that its notification has not reached yet waits."""

import random
from collections.abc import Iterator
from typing import cast

import pytest

from monitor.daemon.read.now import _PIECE, ListedAlert, Told, finding_now, told
from monitor.dispatch.status import StatusSnapshot
from monitor.model.alert import Alert
from monitor.model.incident import IncidentScope
from monitor.routing.route import AggregationGroup
from monitor.runtime.clock import DAY
from monitor.runtime.pieces import at_once

AT = 100
NOW = 20_000 * DAY
OPS = AggregationGroup("k", "ops", {}, "e", 0, 0, told={"one": "critical"}, told_at=AT)


@pytest.mark.parametrize(
    ("waiting_since", "waits"),
    [({}, False), ({"ops": AT + 1}, False), ({"ops": AT}, True), ({"ops": 1}, True), ({"others": 1}, False)],
)
def test_a_receiver_that_a_notification_waits_for_was_not_told(waiting_since: dict[str, int], waits: bool) -> None:
    assert told([OPS], ["one", "two"], waiting_since) == {"one": [Told("ops", AT, waits)], "two": []}


class Standing:
    """A status with alerts whose group is their number: every third one pending, some of one incident, a few reports."""

    def __init__(self, count: int) -> None:
        shuffled = random.Random(7).sample(range(count), count)
        self.some = [alert(number) for number in shuffled]

    def known(self) -> Iterator[tuple[Alert, str]]:
        return ((one, "critical" if int(one.group[0][1]) % 2 else "warning") for one in self.some)


def alert(number: int) -> Alert:
    return Alert(
        account="main",
        rule="Failing",
        group=(("operator", str(number)),),
        state="pending" if number % 3 == 0 else "firing",
        held=(),
        as_of=NOW,
        pending_at=NOW - number,
        firing_at=None if number % 3 == 0 else NOW - number,
        value=float(number % 11),
        threshold=1.0,
        incident=IncidentScope(f"i{number % 50}", "main", "delivery", NOW) if number % 5 == 0 else None,
    )


def test_what_is_wrong_now_is_found_in_pieces_with_the_worst_first() -> None:
    status = cast(StatusSnapshot, Standing(3 * _PIECE + 7))
    assert len(list(finding_now(status))) >= 6, "pauses"
    now = at_once(finding_now(status))
    ranked = sorted((ListedAlert(*one) for one in status.known()), key=lambda one: one.urgency)
    firing = [one for one in ranked if one.alert.state == "firing"]
    assert now.pending == tuple(one for one in ranked if one.alert.state == "pending")
    assert now.firing == len(firing)
    assert [one.alerts[0] for one in now.incidents] == sorted(
        (one.alerts[0] for one in now.incidents), key=lambda one: one.urgency
    )
    together = [one for one in now.incidents if one.scope is not None]
    assert len(together) == 10
    for incident in together:
        assert incident.alerts == tuple(one for one in firing if one.alert.incident == incident.scope)
