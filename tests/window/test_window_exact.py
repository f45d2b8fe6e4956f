"""The window against a naive oracle: exact after any overlap, repeat, reorder and late change, restart and clean-up included."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.config.rules.match import Condition
from monitor.model.batch import batch_of
from monitor.model.message import FAILURES, FINAL, STATUSES, rank
from monitor.window import Query, Window, WindowReader
from monitor.window.aggregates import percentiles, sums
from tests.fakes.rounds import rounds

IDS = [f"{i:08x}-0000-4000-8000-00000000000{i % 10}" for i in range(6)] + ["plain-1", "plain-2"]
CONTRADICTED = IDS[5]
"""Its first part says to be the whole message, and the others that there are three."""


@st.composite
def reports(draw: st.DrawFn) -> dict[str, Any]:
    message = draw(st.sampled_from(IDS))
    parts = 1 + IDS.index(message) % 3
    part = draw(st.integers(1, parts))
    return {
        "messageId": message,
        "parts": 1 if message == CONTRADICTED and part == 1 else parts,
        "part": part,
        "date": draw(st.integers(0, 4)) * 3,
        "status": draw(st.sampled_from([*STATUSES, "Odd"])),
        "operator": draw(st.sampled_from(["Cosmote", "Vodafone", None])),
        "country": draw(st.sampled_from(["GR", "Iraq"])),
        "detailedStatus": draw(st.sampled_from(["Expired", "Unknown Number", None])),
        "latency": draw(st.sampled_from([None, 1.5, 7.0])),
        "price": draw(st.sampled_from([None, 0.1, 0.2, 0.7])),
        "to": draw(st.sampled_from(["+306912345678", "+306999945678", None])),
    }


pages = st.lists(st.tuples(st.sampled_from(["a", "b"]), st.lists(reports(), max_size=12)), max_size=8)

BAD = {"Delivered": 0, "Sent": 1, "Odd": 2, "Queued": 3, "Undelivered": 4, "Failed": 5, "Unsent": 6}


FILLED = ("operator", "country", "detailedStatus", "to")


def joined(ties: list[dict[str, Any]]) -> dict[str, Any]:
    """Reports of one part, status and date: what any of them knows is known; ``settled``: no two of them know different values."""
    known = {name: {r[name] for r in ties} - {None} for name in (*FILLED, "latency", "price")}
    numbers = {name: max(known[name], default=None) for name in ("latency", "price")}
    return {name: min(known[name], default=None) for name in FILLED} | numbers | {"ties": known}


def oracle(history: list[tuple[str, list[dict[str, Any]]]]) -> list[dict[str, Any]]:
    """The messages that these reports leave, one dictionary each."""
    parts: dict[tuple[str, int], list[dict[str, Any]]] = {}
    searches: dict[tuple[str, int], set[str]] = {}
    for search, rows in history:
        for row in rows:
            parts.setdefault((row["messageId"], row["part"]), []).append(row)
            searches.setdefault((row["messageId"], row["part"]), set()).add(search)
    messages: dict[str, list[dict[str, Any]]] = {}
    for (message, part), seen in parts.items():
        last = max(seen, key=lambda r: (r["date"], rank(r["status"])))
        ties = [r for r in seen if (r["date"], r["status"]) == (last["date"], last["status"])]
        state = last | {"first": min(r["date"] for r in seen), "in": searches[message, part]} | joined(ties)
        messages.setdefault(message, []).append(state)
    return [whole(found) for found in messages.values()]


def whole(parts: list[dict[str, Any]]) -> dict[str, Any]:
    parts = sorted(parts, key=lambda p: int(p["part"]))
    worst = max(parts, key=lambda p: (BAD[p["status"]], p["date"], -p["part"]))
    equals = [worst, *(p for p in parts if (p["status"], p["date"]) == (worst["status"], worst["date"]))]
    waiting = len(parts) < max(p["parts"] for p in parts) and worst["status"] == "Delivered"
    prices = [p["price"] for p in parts if p["price"] is not None]
    return (
        worst
        | {name: next((p[name] for p in equals if p[name] is not None), None) for name in FILLED}
        | {
            "settled": all(len(p["ties"][name]) < 2 for p in parts for name in FILLED),
            "status": "Sent" if waiting else worst["status"],
            "first": min(p["first"] for p in parts),
            "in": set().union(*(p["in"] for p in parts)),
            "price": sum(prices) if prices else None,
            "latency": max((p["latency"] for p in parts if p["latency"] is not None), default=None),
        }
    )


def count(window: Window, **what: Any) -> dict[tuple[str, ...], int]:
    reading = WindowReader(window)
    question = Query(**what)
    tally = reading.tally(question)
    pairs = zip(tally.codes.tolist(), tally.counts.tolist(), strict=True)
    return {reading.labels(question.by, code): n for code, n in pairs}


ALL: dict[str, Any] = {"start": -1, "end": 400}


def money(window: Window, **what: Any) -> dict[tuple[str, ...], tuple[float, int]]:
    """What the messages of each group cost, and how many have a price."""
    reading = WindowReader(window)
    found = sums(reading, Query(**ALL, **what))
    rows = zip(found.codes.tolist(), found.values.tolist(), found.counts.tolist(), strict=True)
    return {reading.labels(what.get("by", ()), code): (value, number) for code, value, number in rows}


def latencies(window: Window, percent: float, **what: Any) -> dict[tuple[str, ...], float]:
    reading = WindowReader(window)
    found = percentiles(reading, Query(**ALL, **what), percent)
    return {reading.labels(what.get("by", ()), c): v for c, v in zip(found.codes, found.values.tolist(), strict=True)}


def state(window: Window) -> list[object]:
    """Everything that rules can ask, of messages and of parts."""
    by = ("status", "operator", "detailedStatus", "country", "to")
    found: list[object] = []
    for what in ({"by": by}, {"by": by, "unit": "parts"}):
        found += [count(window, **ALL, **what), money(window, **what)]
        found += [latencies(window, percent, **what) for percent in (1, 50, 100)]
    return found


def naive(messages: list[dict[str, Any]], start: int, end: int, by: tuple[str, ...], fits: Any) -> dict[Any, int]:
    counts: dict[tuple[str, ...], int] = {}
    for message in messages:
        if start < message["date"] <= end and fits(message):
            group = tuple(message[name] or "unknown" for name in by)
            counts[group] = counts.get(group, 0) + 1
    return counts


def assert_same(window: Window, messages: list[dict[str, Any]]) -> None:
    by = ("status", "operator", "country", "detailedStatus") if all(m["settled"] for m in messages) else ("status",)
    spent = [m["price"] for m in messages if m["price"] is not None]
    assert money(window)[()] == pytest.approx((sum(spent), len(spent))) if messages else not money(window)
    slowest = [m["latency"] for m in messages if m["latency"] is not None]
    assert latencies(window, 100).get((), None) == max(slowest, default=None)
    for start, end in [(-1, 12), (3, 8), (5, 5)]:
        assert count(window, start=start, end=end, by=by) == naive(messages, start, end, by, lambda m: True)
        assert count(window, start=start, end=end, final=True) == naive(
            messages, start, end, (), lambda m: m["status"] in FINAL
        )
        failed = (Condition("status", "is", tuple(sorted(FAILURES))),)
        assert count(window, start=start, end=end, conditions=failed) == naive(
            messages, start, end, (), lambda m: m["status"] in FAILURES
        )
        assert count(window, start=start, end=end, search="b") == naive(
            messages, start, end, (), lambda m: "b" in m["in"]
        )


@given(pages)
@settings(max_examples=rounds(100, else_=40), deadline=None)
def test_counts_are_those_of_the_latest_state_of_each_message(history: list[Any]) -> None:
    window = Window("main")
    for search, rows in history:
        window.upsert(batch_of(rows), search)
    assert_same(window, oracle(history))


@given(pages, st.randoms())
@settings(max_examples=rounds(60, else_=24), deadline=None)
def test_order_and_repetition_of_reports_change_nothing(history: list[Any], random: Any) -> None:
    first, second = Window("main"), Window("main")
    for search, rows in history:
        first.upsert(batch_of(rows), search)
    shuffled = [(search, [row]) for search, rows in history for row in rows] * 2
    random.shuffle(shuffled)
    for search, rows in shuffled:
        second.upsert(batch_of(rows), search)
    assert state(first) == state(second)


@given(pages)
@settings(max_examples=rounds(60, else_=24), deadline=None)
def test_a_restart_from_the_journal_changes_nothing(history: list[Any]) -> None:
    live, store = Window("main"), Journal()
    for number, (search, rows) in enumerate(history):
        live.upsert(batch_of(rows), search)
        before = number if number % 2 else number - 1
        live.expire(before)  # also on even rounds: a part that changed may have moved its message's date behind it
        store.save(live, fails=number % 3 == 1)
        back = store.restored()
        back.expire(before)
        if number % 3 != 1:
            assert state(back) == state(live)
            assert len(back) == len(live)
    live.upsert(batch_of([]), "a")


class Journal:
    """What a store keeps of a window."""

    def __init__(self) -> None:
        self.blobs: dict[int, bytes] = {}
        self.entries: list[tuple[str, int, str]] = []
        self.seq = 0

    def save(self, window: Window, fails: bool = False) -> None:
        unsaved = window.unsaved()
        if fails:
            window.not_saved(unsaved)
            return
        self.entries += unsaved.entries
        for old in unsaved.cleaned:
            del self.blobs[old]
        if unsaved.blob is not None:
            self.seq += 1
            self.blobs[self.seq] = unsaved.blob
        window.saved(unsaved, self.seq if unsaved.blob is not None else None)

    def restored(self, at_once: int = 3) -> Window:
        window, stored = Window("main"), list(self.blobs.items())
        window.restore_entries(self.entries)
        for first in range(0, len(stored), at_once):
            window.restore(stored[first : first + at_once])
        window.restored()
        return window


def test_the_journal_stays_bounded_and_complete_under_endless_changes() -> None:
    window, journal = Window("main"), Journal()
    for step in range(400):
        rows = [{"messageId": f"id-{i}", "date": step, "status": STATUSES[(step + i) % 6]} for i in range(400)]
        window.upsert(batch_of(rows), "a")
        journal.save(window)
    assert len(journal.blobs) < 300
    back = journal.restored()
    assert count(back, start=-1, end=400, by=("status",)) == count(window, start=-1, end=400, by=("status",))
    assert len(back) == 400


def test_expired_messages_are_gone_and_do_not_come_back() -> None:
    window = Window("main")
    rows = [{"messageId": "m", "parts": 2, "part": p, "date": 5, "status": "Delivered"} for p in (1, 2)]
    window.upsert(batch_of(rows), "a")
    window.expire(5)
    assert len(window) == 0
    assert window.upsert(batch_of(rows), "a") == 0
    window.upsert(batch_of([rows[0] | {"date": 6}]), "a")
    assert count(window, start=0, end=9, by=("status",)) == {("Sent",): 1}
