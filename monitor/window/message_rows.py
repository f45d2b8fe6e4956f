"""Keeps the rows of the messages of several parts: one for each message, chained to those of its parts (`monitor.window.multipart`)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.window.columns import AS_PART, Columns
from monitor.window.dictionary import Dictionary, Sets
from monitor.window.id_filter import IdFilter
from monitor.window.index import Keys, Rows, each_message
from monitor.window.multipart import HEAD, combine
from monitor.window.rounds import in_rounds
from monitor.window.row_space import RowSpace
from monitor.window.stable_order import distinct


class MessageRows:
    """The rows of messages of several parts in ``columns``. ``no_recipient`` is the value of the column ``to`` for a missing recipient."""

    def __init__(self, columns: Columns, space: RowSpace, no_recipient: int) -> None:
        self._columns = columns
        self._space = space
        self._no_recipient = no_recipient
        self._ids = IdFilter()
        self._are_any = False
        """Whether there may be messages of several parts."""

    def combine(self, changed: Rows, new: int, dictionaries: Mapping[str, Dictionary], searches: Sets) -> Rows:
        """Rebuilds the rows of the messages of several parts to which changed parts belong. Returns all rows that it touched.

        The last ``new`` of the changed ones are new. One that says to be the whole message is none if there are others with its id.
        """
        columns = self._columns
        belongs = self._belongs_to_more(changed)
        parts: Rows = changed[belongs]
        if self._are_any and new:
            alone = changed[-new:][~belongs[-new:]]
            alone = alone[self._ids.may_have(columns["high"][alone], columns["low"][alone])]
            parts = np.concatenate([parts, alone[self._space.same_id(alone, HEAD) >= 0]])
        if not parts.size:
            return parts
        heads, touched = self._heads(parts)
        columns.write(heads, combine(columns, heads, dictionaries, searches, self._no_recipient))
        return np.concatenate([heads, touched])

    def with_parts(self, rows: Rows) -> Rows:
        """Returns rows of messages, and those of the parts of those that have several, sorted."""
        links, at = [rows], rows[self._columns["key"][rows] == HEAD]
        while at.size:
            at = self._columns["link"][at].astype(np.int64)
            at = at[at >= 0]
            links.append(at)
        return np.sort(np.concatenate(links))

    def restored(self, rows: Rows) -> None:
        """Notes the messages of several parts among all rows in use."""
        columns = self._columns
        heads = rows[columns["key"][rows] == HEAD]
        self._are_any = bool(heads.size)
        self._ids.add(columns["high"][heads], columns["low"][heads])

    def _belongs_to_more(self, rows: Rows) -> NDArray[np.bool_]:
        """Returns which rows are a part of a message of several."""
        columns = self._columns
        single = is_whole({"parts": columns["parts"][rows], "key": columns["key"][rows]})
        return np.asarray(~single | (columns["kind"][rows] == AS_PART))

    def _heads(self, parts: Rows) -> tuple[Rows, Rows]:
        """Returns the message rows of the parts, created if missing, and the parts that were just linked to one."""
        columns, space = self._columns, self._space
        heads = space.same_id(parts, HEAD)
        missing = np.flatnonzero(heads < 0)
        if missing.size:
            new, of = self._add(parts[missing])
            heads[missing] = new[of]
            has_first = np.zeros(len(new), np.bool_)
            has_first[of[columns["key"][parts[missing]] == 1]] = True
            first = space.same_id(new[~has_first], 1)
            alone = first[first >= 0]  # without a message's row, so it said to be the whole message
            if alone.size:
                parts, heads = np.concatenate([parts, alone]), np.concatenate([heads, space.same_id(alone, HEAD)])
        loose = np.flatnonzero(~self._linked(parts, heads))
        for some in in_rounds(heads[loose]):
            part, head = parts[loose[some]], heads[loose[some]]
            columns["link"][part] = columns["link"][head]
            columns["link"][head] = part
        columns.write(parts[loose], {"kind": np.full(len(loose), AS_PART, np.uint8)})
        return distinct(heads), parts[loose]

    def _linked(self, parts: Rows, heads: Rows) -> NDArray[np.bool_]:
        """Returns which parts are in their message's chain already."""
        found = np.zeros(len(parts), np.bool_)
        left, at = np.arange(len(parts)), heads
        while left.size:
            at = self._columns["link"][at].astype(np.int64)
            found[left[at == parts[left]]] = True
            going = (at >= 0) & ~found[left]
            left, at = left[going], at[going]
        return found

    def _add(self, parts: Rows) -> tuple[Rows, Rows]:
        """Adds rows for the messages of these parts, which have none yet. `combine` fills them in. Returns them, and the position of each
        part's among them."""
        columns = self._columns
        keys = Keys(columns["high"][parts], columns["low"][parts], np.full(len(parts), HEAD, np.int8))
        first, of = each_message(keys)
        keys = keys[first]
        self._are_any = True
        self._ids.add(keys.high, keys.low)
        rows = self._space.allocate(len(keys))
        blank = np.full(len(keys), -1, np.int32)
        columns.write(rows, {"high": keys.high, "low": keys.low, "key": keys.key, "link": blank})
        self._space.add(keys, rows)
        return rows, of


def is_whole(values: dict[str, NDArray[Any]]) -> NDArray[np.bool_]:
    """Returns which parts are a whole message."""
    return np.asarray((values["parts"] <= 1) & (values["key"] == 1))
