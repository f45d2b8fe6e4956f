"""How columns are read that every daemon reads of all others: whatever somebody else wrote into a row, none may stumble over it."""

from typing import Final

from monitor.runtime.clock import LATEST, SECOND

_FURTHEST: Final = LATEST // SECOND


def microseconds(expression: str) -> str:
    """Returns the SQL for an instant, or an interval, of this program. What is further away than this program can name becomes the furthest."""
    return f"CAST(least(greatest(extract(epoch FROM {expression}), -{_FURTHEST}), {_FURTHEST}) * {SECOND} AS BIGINT)"


def since(column: str) -> str:
    """Returns the SQL for the instant in a column: NULL where there is none, and 0 for one that is infinitely far away."""
    return f"CASE WHEN isfinite({column}) THEN {microseconds(column)} WHEN {column} IS NOT NULL THEN 0 END"


def names(column: str) -> str:
    """Returns the SQL for a column of names, without what is none."""
    return f"CASE WHEN coalesce(array_ndims({column}), 1) = 1 THEN array_remove({column}, NULL) ELSE '{{}}' END"
