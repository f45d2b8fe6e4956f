"""A page that is decoded and taken into the window as a whole, against the same records one by one, in any order."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from routee_pages import NOW, body_of, item, status

from monitor.ingest.routee.wire import decode_page
from monitor.model.privacy import RecipientMask
from monitor.window import Window
from monitor.window.profiles import PROFILED
from tests.fakes.rounds import rounds

odd_texts = st.sampled_from(["", "GR", "a\x00b", "\ud800", "x" * 300, "ά" * 257, "\x1f", "unknown"])
odd_numbers = st.sampled_from([0, -1, 2, 65_536, "2", "0,5", "1e3", "NaN", 1e300, 10**400, True, [], "x"])
dates = st.sampled_from(
    [
        "2026-11-21T17:07:04Z",
        "2026-11-21T17:07:04.123Z",
        "2026-11-21T19:07:04.123456+02:00",
        "2026-11-21 17:07:05",
        "2026-11-21T17:07:60Z",
        "0001-01-01T00:00:00Z",
        "2027-01-01T00:00:00Z",
        "yesterday",
        1_795_280_824,
        None,
    ]
)
ids = st.sampled_from(
    ["a6b62347-91a5-4d3f-8b1c-0123456789ab", "A6B62347-91A5-4D3F-8B1C-0123456789AB", "m-1", "\ud800", "x" * 300]
)

statuses = st.sampled_from(["Sent", "Delivered", "Failed", "Other"])
records = st.fixed_dictionaries(
    {"messageId": ids, "status": st.builds(status, statuses, dates)},
    optional={
        "to": st.sampled_from(["+306912345678", "306912345678", "+30691", "\x00", "+3069123456\ud800"]) | odd_texts,
        "smsId": ids,
        "operator": odd_texts,
        "country": odd_texts,
        "label": odd_texts | odd_numbers,
        "from": odd_texts,
        "direction": st.sampled_from(["Outbound", "Inbound"]),
        "groups": st.lists(odd_texts, max_size=3) | odd_texts,
        "latency": odd_numbers,
        "price": odd_numbers,
        "part": odd_numbers,
    },
).map(lambda changed: item(parts=2) | changed)
usual_texts = st.sampled_from(["", "GR", "DE", "a\x00b", "x" * 300, "ά" * 257, "unknown"])
usual_records = st.fixed_dictionaries(
    {
        "messageId": st.sampled_from([f"a6b62347-91a5-4d3f-8b1c-01234567890{n}" for n in range(4)]),
        "status": st.builds(
            status, statuses, st.sampled_from([f"2026-11-{day:02}T17:07:0{day % 9}Z" for day in range(8, 20)])
        ),
        "part": st.integers(1, 3),
    },
    optional=dict.fromkeys(("to", "operator", "country", "label", "from"), usual_texts)
    | {name: st.sampled_from([0, 0.5, 3, 86_400.25]) for name in ("latency", "price")}
    | {"groups": st.lists(usual_texts, max_size=2), "direction": st.sampled_from(["Outbound", "Inbound"])},
).map(lambda changed: item(parts=3) | changed)
"""Records as the fast path reads them."""
odd_pages = st.lists(records | st.sampled_from([None, 7, "x", {}, {"messageId": "m-1"}]), max_size=6)


def of_parts(page: list[Any], parts: object) -> list[Any]:
    """A page on which all reports say the same of how many parts a message has. If they do not, the rows depend on which came first."""
    return [record | {"parts": parts} if isinstance(record, dict) and "status" in record else record for record in page]


pages = st.lists(usual_records, max_size=12) | st.builds(of_parts, odd_pages, odd_numbers)


def rows_of(window: Window) -> dict[tuple[str, int], dict[str, Any]]:
    """What the window knows of each part and message, as texts and numbers."""
    columns, found = window.columns, {}
    for row in range(columns.length):
        key = (window.ids.decode(int(columns["high"][row]), int(columns["low"][row])), int(columns["key"][row]))
        known = {
            name: int(columns[name][row]) for name in ("parts", "date", "first_seen", "latency", "price", "to", "kind")
        }
        codes = {name: int(columns.of(name, row)) for name in PROFILED} | {"recipient": int(columns["recipient"][row])}
        found[key] = known | {name: window.dictionaries[name].texts[code] for name, code in codes.items()}
    return found


@settings(max_examples=rounds(200, else_=80))
@given(pages, st.randoms(use_true_random=False))
def test_a_page_leads_to_the_same_window_as_its_records_one_by_one(records: list[object], chance: Any) -> None:
    together, alone = (Window("main", RecipientMask("mask", bytes(32))) for _ in range(2))
    page = decode_page(body_of(*records), NOW)
    together.upsert(page.batch, "all")
    assert len(page.batch) + len(page.rejected) == len(records)
    rejected, unread = [], 0
    for record in chance.sample(records, len(records)):
        one = decode_page(body_of(record), NOW)
        alone.upsert(one.batch, "all")
        rejected += [(each.why, each.record) for each in one.rejected]
        unread += sum(each.count for each in one.batch.unread)
    assert rows_of(together) == rows_of(alone)
    assert sorted((each.why, each.record) for each in page.rejected) == sorted(rejected)
    assert sum(each.count for each in page.batch.unread) == unread
