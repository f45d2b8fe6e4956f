"""What polls of a search by status prove about messages that they do not return any more."""

import pytest

from monitor.ingest.poll.plan import SearchPlan, poll_range
from monitor.model.batch import batch_of
from monitor.model.complete_read import CompleteRead, ReadOrigin
from monitor.model.routee_query import Filter, RouteeQuery
from monitor.runtime.clock import MINUTE, SECOND
from monitor.window import Window

SENT_AT = 1_800_000_321 * SECOND
PLAN = SearchPlan(
    "main", "sent", RouteeQuery((Filter("status.status", "Sent"),)), 30 * SECOND, ((5 * MINUTE, 30 * SECOND),)
)


@pytest.mark.parametrize("returned", [1, 2])
def test_a_poll_proves_that_a_message_left_which_an_earlier_one_from_the_same_start_returned(returned: int) -> None:
    """Such polls begin at half a second; what is remembered of a start must not be rounded."""
    window = Window("main")
    window.search_results.searches = {"sent": lambda status: status == "Sent"}
    row = {"messageId": "m1", "date": SENT_AT, "status": "Sent"}
    left = []
    for number in range(returned + 1):
        watermark = SENT_AT + number * 30 * SECOND
        piece = poll_range(PLAN, watermark + 32 * SECOND, watermark)
        window.search_results.begin("sent", "poll")
        window.upsert(batch_of([row] if number < returned else []), "sent", ReadOrigin(piece.start, piece.start))
        left.append(
            window.conclude(
                CompleteRead("sent", "poll", ((piece.start, piece.end),), piece.end, piece.end, certain=True)
            )
        )
        window.search_results.end("sent", "poll")
    assert left == [0] * returned + [1]
