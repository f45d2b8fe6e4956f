"""The rows of each campaign against a look at all rows, whatever happens to the window in between."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.model.batch import batch_of
from monitor.window import Query, Window, WindowReader
from monitor.window.campaign_progress import BY, IN_A_CAMPAIGN, runs
from tests.fakes.rounds import rounds

rows = st.fixed_dictionaries(
    {
        "messageId": st.sampled_from([f"m{i}" for i in range(12)]),
        "date": st.integers(0, 25),
        "status": st.sampled_from(["Queued", "Sent", "Delivered", "Failed"]),
        "campaignTrackingId": st.sampled_from(["a", "b", "c", None]),
        "parts": st.sampled_from([1, 2]),
        "key": st.sampled_from([1, 2]),
    }
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("page"), st.lists(rows, max_size=6)),
        st.tuples(st.just("expire"), st.integers(0, 12)),
        st.tuples(st.just("question"), st.integers(0, 26)),
    ),
    max_size=16,
)


@given(steps)
@settings(max_examples=rounds(200, else_=80), deadline=None)
def test_the_rows_are_those_that_a_look_at_all_rows_finds(history: list[Any]) -> None:
    window = Window("main")
    for what, given_ in [*history, ("question", 26)]:
        if what == "page":
            window.upsert(batch_of(given_), "all")
        elif what == "expire":
            window.expire(given_)
        else:
            assert_right(window)
            assert_runs_right(window, given_)


def test_they_stay_right_when_profiles_get_other_numbers() -> None:
    window = Window("main")
    before = window.facets
    for day in range(45):
        rows_of_day = [
            {"messageId": f"{day}-{i}", "date": day * 10 + 1, "status": "Sent", "campaignTrackingId": f"{day}-{i}"}
            for i in range(1000)
        ]
        window.upsert(batch_of(rows_of_day), "all")
        if day == 0:
            assert_right(window)
        while window.expire(day * 10 - 5):
            pass
    assert window.facets is not before
    assert_right(window)


def assert_right(window: Window) -> None:
    reading, columns = WindowReader(window), window.columns
    groups = window.facets.groups(BY)
    codes = np.array([code for code in range(len(groups)) if reading.labels(BY, code) != ("unknown",)], np.int64)
    found, position = window.campaign_rows.of(codes, window.facets)
    of_rows = groups.of[columns["profile"][: columns.length]]
    used = columns["kind"][: columns.length] > 0
    assert sorted(zip(codes[position].tolist(), found.tolist(), strict=True)) == sorted(
        (int(of_rows[row]), row) for row in np.flatnonzero(used).tolist() if of_rows[row] in codes
    )


def assert_runs_right(window: Window, end: int) -> None:
    reading, columns = WindowReader(window), window.columns
    found = runs(reading, Query(3, end), 0, 4)
    asked, groups = Query(3, end, BY, (IN_A_CAMPAIGN,), seen=True), window.facets.groups(BY)
    expected = {int(code): 0 for code in found.codes}
    for row in reading.rows(asked).tolist():
        code = int(groups.of[columns["profile"][row]])
        if code in expected:
            expected[code] += 1
    assert dict(zip(found.codes.tolist(), found.messages.tolist(), strict=True)) == expected
