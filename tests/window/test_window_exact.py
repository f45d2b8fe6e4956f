"""The window against a naive oracle: exact after any overlap, repeat, reorder and late change, restart and clean-up included."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.message import FAILURES, FINAL, STATUSES, batch_of, rank
from monitor.rules.match import Condition
from monitor.window import Question, Reading, Window

IDS = [f"{i:08x}-0000-4000-8000-00000000000{i % 10}" for i in range(6)] + ["plain-1", "plain-2"]


@st.composite
def reports(draw: st.DrawFn) -> dict[str, Any]:
    message = draw(st.sampled_from(IDS))
    parts = 1 + IDS.index(message) % 3
    return {
        "messageId": message,
        "parts": parts,
        "part": draw(st.integers(1, parts)),
        "date": draw(st.integers(0, 12)),
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
        ties = [r for r in seen if (r["date"], rank(r["status"])) == (last["date"], rank(last["status"]))]
        state = last | {"first": min(r["date"] for r in seen), "in": searches[message, part], "ties": ties}
        messages.setdefault(message, []).append(state)
    return [whole(found) for found in messages.values()]


def whole(parts: list[dict[str, Any]]) -> dict[str, Any]:
    worst = max(parts, key=lambda p: (BAD[p["status"]], p["date"], -p["part"]))
    waiting = len(parts) < parts[0]["parts"] and worst["status"] == "Delivered"
    return worst | {
        "status": "Sent" if waiting else worst["status"],
        "first": min(p["first"] for p in parts),
        "in": set().union(*(p["in"] for p in parts)),
    }


def count(window: Window, **what: Any) -> dict[tuple[str, ...], int]:
    reading = Reading(window)
    question = Question(**what)
    tally = reading.tally(question)
    pairs = zip(tally.codes.tolist(), tally.counts.tolist(), strict=True)
    return {reading.labels(question.by, code): n for code, n in pairs}


def naive(messages: list[dict[str, Any]], start: int, end: int, by: tuple[str, ...], fits: Any) -> dict[Any, int]:
    counts: dict[tuple[str, ...], int] = {}
    for message in messages:
        if start < message["date"] <= end and fits(message):
            group = tuple(message[name] or "unknown" for name in by)
            counts[group] = counts.get(group, 0) + 1
    return counts


def assert_same(window: Window, messages: list[dict[str, Any]]) -> None:
    settled = all(len({r["operator"] for r in m["ties"]}) == 1 for m in messages)
    by = ("status", "operator") if settled else ("status",)
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
@settings(max_examples=100, deadline=None)
def test_counts_are_those_of_the_latest_state_of_each_message(history: list[Any]) -> None:
    window = Window("main")
    for search, rows in history:
        window.upsert(batch_of(rows), search)
    assert_same(window, oracle(history))


@given(pages, st.randoms())
@settings(max_examples=60, deadline=None)
def test_order_and_repetition_of_reports_change_nothing(history: list[Any], random: Any) -> None:
    first, second = Window("main"), Window("main")
    for search, rows in history:
        first.upsert(batch_of(rows), search)
    shuffled = [(search, [row]) for search, rows in history for row in rows] * 2
    random.shuffle(shuffled)
    for search, rows in shuffled:
        second.upsert(batch_of(rows), search)
    everything: dict[str, Any] = {
        "start": -1,
        "end": 12,
        "by": ("status", "operator", "detailedStatus", "country", "to"),
    }
    assert count(first, **everything) == count(second, **everything)
    everything["unit"] = "parts"
    assert count(first, **everything) == count(second, **everything)


@given(pages)
@settings(max_examples=60, deadline=None)
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
            everything: dict[str, Any] = {"start": -1, "end": 12, "by": ("status", "operator", "country")}
            assert count(back, **everything) == count(live, **everything)
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

    def restored(self) -> Window:
        window = Window("main")
        window.restore_entries(self.entries)
        for seq, blob in self.blobs.items():
            window.restore(seq, blob)
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
