"""A storm leaves the garbage collector next to nothing to look at: a full collection holds the loop for as long as there are objects to look at."""

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
import trio

from tests.daemon.test_storm_in_pieces import ROUTES, Storm

FEW, MANY = 200, 800
TEXTS = "Entry"
"""The new texts of the messages that are not committed yet, of which there are some thousands at most."""


@dataclass(eq=False)
class Looked(trio.abc.Instrument):
    """Notes the objects that the collector has to look at after any step: the most of each kind."""

    most: Counter[str] = field(default_factory=Counter)

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        gc.collect()  # the collector forgets tuples and dictionaries that it has seen to be without cycles
        self.most |= Counter(type(one).__qualname__ for one in gc.get_objects())

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Notes what was not there before the block."""
        gc.collect()
        gc.freeze()
        trio.lowlevel.add_instrument(self)
        try:
            yield
        finally:
            trio.lowlevel.remove_instrument(self)
            gc.unfreeze()


async def storm(groups: int, route: str) -> Counter[str]:
    """Returns the most objects of each kind while so many alerts begin, go on, are told of again and end."""
    one, looked = Storm(groups, route), Looked()
    await one.worker.start(["main"])
    with looked.watching():
        await one.poll("begin", "Failed")
        assert one.has("firing") == groups
        await one.poll("go on")
        await one.repeat()
        await one.poll("end", "Delivered")
        await one.repeat()
    assert one.has("firing") == 0
    return looked.most


@pytest.mark.parametrize("route", ROUTES)
async def test_the_collector_looks_at_no_more_objects_where_more_alerts_begin_and_end(route: str) -> None:
    few, many = await storm(FEW, ROUTES[route]), await storm(MANY, ROUTES[route])
    grown = {kind: (few[kind], many[kind]) for kind in many if many[kind] - few[kind] > (MANY - FEW) / 4}
    assert grown.keys() <= {TEXTS}
