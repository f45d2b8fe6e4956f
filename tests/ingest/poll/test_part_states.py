"""Which parts of messages a page has."""

import numpy as np

from monitor.ingest.poll.part_states import PartStates, states_of
from monitor.model.batch import batch_of
from monitor.model.routee_query import Page
from monitor.runtime.clock import parse_iso

ID, OTHER = "c3d0fcd2-4d55-4b43-9c5a-0a3a56e4b3a1", "c3d0fcd2-4d55-4b43-9c5a-0a3a56e4b3a2"


def _states(*parts: tuple[str, int]) -> PartStates:
    rows = [{"messageId": one, "part": part, "date": parse_iso("2026-11-21"), "status": "Sent"} for one, part in parts]
    return states_of(Page(batch_of(rows), 0, len(rows), True, ()))


def test_a_part_is_the_same_on_every_page_whatever_ids_are_beside_it() -> None:
    alone = _states((ID, 1), (OTHER, 1))
    beside = _states((OTHER, 1), ("no-uuid", 1), (ID, 1))
    assert beside.ids[[2, 0]].tolist() == alone.ids.tolist()
    assert beside.ids[1] == _states(("no-uuid", 1)).ids[0]


def test_parts_and_messages_are_told_apart() -> None:
    ids = [ID, OTHER, ID.upper(), "no-uuid", "no-uuid2", "00000001-0000-4000-8000-000000000000"]
    found = _states(*((one, part) for one in ids for part in (0, 1, 2, 255)))
    assert len(np.unique(found.ids)) == len(found)
