"""Who is said to be notified of an alert: a receiver that its notification has not reached yet waits."""

import pytest

from monitor.daemon.read.now import Told, told
from monitor.routing.route import AggregationGroup

AT = 100
OPS = AggregationGroup("k", "ops", {}, "e", 0, 0, told={"one": "critical"}, told_at=AT)


@pytest.mark.parametrize(
    ("waiting_since", "waits"),
    [({}, False), ({"ops": AT + 1}, False), ({"ops": AT}, True), ({"ops": 1}, True), ({"others": 1}, False)],
)
def test_a_receiver_that_a_notification_waits_for_was_not_told(waiting_since: dict[str, int], waits: bool) -> None:
    assert told([OPS], ["one", "two"], waiting_since) == {"one": [Told("ops", AT, waits)], "two": []}
