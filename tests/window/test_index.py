"""The index from keys to rows, compared with a dictionary."""

import numpy as np
import pytest

from monitor.runtime.pieces import at_once
from monitor.window.index import Index, Keys, Rows

ROWS = 40_000


def _keys(seed: int) -> Keys:
    """Returns different keys, of which many have an id, or half of one, in common."""
    draw, numbers = np.random.default_rng(seed), np.arange(ROWS)
    order = draw.permutation(ROWS)
    high, low, key = numbers // 400, numbers // 20 % 20, numbers % 20
    return Keys(high.astype(np.uint64)[order], low.astype(np.uint64)[order], (key - 1).astype(np.int8)[order])


def _triples(keys: Keys) -> list[tuple[int, int, int]]:
    return list(zip(keys.high.tolist(), keys.low.tolist(), keys.key.tolist(), strict=True))


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("at_a_time", [3, 700, 5_000])
def test_every_key_that_was_added_and_not_removed_is_found_and_no_other(seed: int, at_a_time: int) -> None:
    draw, columns, index = np.random.default_rng(seed), _keys(seed), Index()
    triples, known = _triples(columns), dict[tuple[int, int, int], int]()
    for first in range(0, ROWS if at_a_time > 3 else 6_000, at_a_time):
        fresh: Rows = np.arange(first, min(first + at_a_time, ROWS))
        asked = np.concatenate([fresh, draw.choice(ROWS, at_a_time)])
        keys = columns[asked]
        assert index.find(keys, columns).tolist() == [known.get(triples[row], -1) for row in asked.tolist()]
        index.add(keys[np.arange(len(fresh))], fresh, columns)  # they were just looked for in vain
        known |= {triples[row]: row for row in fresh.tolist()}
        gone = draw.choice(sorted(known.values()), len(fresh) // 5, replace=False)
        index.remove(columns[gone], columns)
        for row in gone.tolist():
            del known[triples[row]]
    assert index.find(columns, columns).tolist() == [known.get(one, -1) for one in triples]


def test_what_was_looked_for_in_vain_is_added_rightly_although_others_were_added_meanwhile() -> None:
    columns, index = _keys(3), Index()
    halves = np.arange(0, 8_000), np.arange(8_000, 16_000)
    asked = [columns[rows] for rows in halves]
    for keys in asked:
        assert (index.find(keys, columns) == -1).all()
    for keys, rows in zip(asked, halves, strict=True):
        index.add(keys, rows, columns)
    assert index.find(columns[np.arange(16_000)], columns).tolist() == list(range(16_000))


def test_an_index_that_was_rebuilt_has_the_given_rows_only() -> None:
    columns, index = _keys(4), Index()
    index.add(columns[np.arange(9_000)], np.arange(9_000), columns)
    rows = np.arange(5_000, ROWS, 3)
    at_once(index.rebuilding(rows, columns))
    found = index.find(columns, columns)
    assert found[rows].tolist() == rows.tolist()
    assert np.count_nonzero(found >= 0) == len(rows)
