"""Compiles matchers requested over the network: few, short, and one after the other with a pause in between.

The library holds the interpreter's lock while it compiles one, so that a thread would not help: what bounds it is how much can be
asked for (docs/decisions/0024).
"""

from collections.abc import Collection

import trio

from monitor.routing.matcher_syntax import Written
from monitor.routing.matchers import Matcher, check_ready, check_written


async def asked(written: Collection[Written]) -> tuple[Matcher, ...]:
    """Returns the matchers. Raises ValueError if they are invalid or too many."""
    check_written(written)
    made = []
    for one in written:
        made.append(Matcher(*one))
        check_ready(made)
        await trio.lowlevel.checkpoint()
    return tuple(made)
