"""Compiles matchers requested over the network: few, short, and one after the other with a pause in between.

The regular expression library holds the interpreter's lock while it compiles, so a thread would not help; the cost is limited by limiting
what can be requested (docs/decisions/0024).
"""

from collections.abc import Collection

import trio

from monitor.routing.matcher_syntax import Written
from monitor.routing.matchers import Matcher, check_ready, check_written


async def compile_matchers(written: Collection[Written]) -> tuple[Matcher, ...]:
    """Returns the matchers. Raises ValueError if they are invalid or too many."""
    check_written(written)
    made = []
    for one in written:
        made.append(Matcher(*one))
        check_ready(made)
        await trio.lowlevel.checkpoint()
    return tuple(made)
