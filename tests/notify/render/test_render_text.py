"""Sentences and plain text: what every channel falls back on."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model.notification import AlertView, Cause, Sample
from monitor.notify.render import plain_text, sample_view, sentence
from monitor.notify.render.notification_text import shown_views
from monitor.runtime.clock import HOUR, MINUTE
from tests.fakes.alerts import change, notification_of, over, rate, spike
from tests.golden import is_as_before


def view(kind: str, by: list[str] | None = None, **more: object) -> AlertView:
    return change(sample_view("R", kind, by or []), **more)


@pytest.mark.parametrize(
    ("alert", "said"),
    [
        (rate(), "OperatorFailureRate: 34.2% of 1,204 messages to Cosmote (GR) failed in 15m, threshold 20%"),
        (spike(), "UndeliveredSpike: 62 Carrier Violation in 15m, 4.1x the usual 15"),
        (view("spike", baseline=0.0), "R: 62 messages in 15m, usually none"),
        (
            view("spike", unit="share", value=0.342, baseline=0.083, change=4.12),
            "R: 34.2% of 1,204 messages failed in 15m, 4.1x the usual 8.3%",
        ),
        (
            view("rate", ["campaign"], comparison="below", value=0.71, threshold=0.9, matched="Delivered"),
            "R: Only 71% of 1,204 messages in campaign Black Friday were Delivered in 15m, threshold 90%",
        ),
        (view("count", ["from"], matched="Unsent"), "R: 62 Unsent from Shop in 15m, threshold 45"),
        (view("count", comparison="below", value=1.0, threshold=10.0), "R: Only 1 message in 15m, threshold 10"),
        (view("count", comparison="below", value=0.0, threshold=10.0), "R: 0 messages in 15m, threshold 10"),
        (view("latency", ["operator"]), "R: 42s to deliver messages to Cosmote in 15m, threshold 30s"),
        (
            view("latency", ["operator"], matched="95%"),
            "R: 42s to deliver 95% of messages to Cosmote in 15m, threshold 30s",
        ),
        (view("stuck", window=None), "R: 62 messages without a final status, threshold 45"),
        (view("stuck", matched="20m"), "R: 62 messages without a final status after 20m, threshold 45"),
        (
            view("stuck", ["country"], unit="share", value=0.342, threshold=0.2, matched="20m"),
            "R: 34.2% of 1,204 messages to GR sent in 15m have no final status after 20m, threshold 20%",
        ),
        (
            view("absence", ["operator", "country"], window=40 * MINUTE, baseline=80.0),
            "R: No messages to Cosmote (GR) for 45m, usually 120 an hour",
        ),
        (view("absence", baseline=0.025), "R: No messages for 20m, usually 2.4 a day"),
        (view("absence", baseline=None), "R: No messages for 20m"),
        (view("absence", value=3.0), "R: Only 3 messages in 15m, usually 60 an hour"),
        (view("new_value", ["country"], matched="country"), "R: New country GR: 62 messages in 15m"),
        (
            view("new_value", ["country", "from"], value=1.0, matched="from"),
            "R: New sender Shop: 1 message to GR in 15m",
        ),
        (
            view("distinct", ["campaign"], matched="to"),
            "R: 62 different recipients in campaign Black Friday in 15m, threshold 45",
        ),
        (
            view("distinct", comparison="below", value=1.0, threshold=3.0, matched="country"),
            "R: Only 1 different country in 15m, threshold 3",
        ),
        (
            view("slo", ["operator"]),
            "R: The error budget of messages to Cosmote burns too fast: 15.2x over 14m and 16.1x over 1m10s, limit 14.4x, 38% of the budget is left",
        ),
        (view("slo", why="burns: 1x over 14m"), "R: The error budget burns: 1x over 14m"),
        (view("cost"), "R: 103.50 spent in 15m, threshold 100"),
        (
            view("builtin", value=None, why="search outbound was not polled for 2m"),
            "R: search outbound was not polled for 2m",
        ),
        (
            view("rate", ["operator"], labels={"operator": "unknown"}),
            "R: 34.2% of 1,204 messages to unknown operator failed in 15m, threshold 20%",
        ),
    ],
)
def test_the_sentence_has_the_number_in_it(alert: AlertView, said: str) -> None:
    assert sentence(alert) == said


@pytest.mark.parametrize(
    ("alert", "said"),
    [
        (over(rate()), "3.4% of 1,204 messages to Cosmote (GR) failed in 15m, at worst 34.2%"),
        (over(rate(), resolved_because="no_data"), "too few messages to Cosmote (GR) to judge any more"),
        (
            over(rate(), peak=0.2004, value=0.2, threshold=0.2),
            "20% of 1,204 messages to Cosmote (GR) failed in 15m, at worst 20.04%",
        ),
        (
            over(rate(), resolved_because="removed"),
            "its rule or its group is gone for messages to Cosmote (GR)",
        ),
        (
            over(
                view("rate", ["operator"], labels={"operator": "TIM", "account": "small"}), resolved_because="removed"
            ),
            "its rule or its group is gone for messages to TIM on account small",
        ),
        (over(view("rate"), resolved_because="removed"), "its rule or its group is gone"),
        (
            over(view("balance", labels={"account": "small"}), resolved_because="removed"),
            "its rule or its group is gone on account small",
        ),
        (
            over(view("builtin", labels={"search": "outbound", "account": "small"}), resolved_because="unwatched"),
            "its account is no longer watched for search outbound on account small",
        ),
        (
            over(rate(), resolved_because="outranked"),
            "it is still over its threshold for messages to Cosmote (GR), but its rule reports only the worst groups, and a worse one took its place",
        ),
        (over(view("absence", ["operator"]), value=12.0), "12 messages to Cosmote in 15m"),
        (
            over(view("absence", ["operator"]), resolved_because="no_data"),
            "no messages to Cosmote for so long that they are no longer expected",
        ),
        (over(view("new_value", ["country"], matched="country"), value=0.0), "0 messages to GR in 15m"),
        (over(view("slo", why="burns: 0.3x over 14m")), "The error budget burns: 0.3x over 14m"),
        (over(view("builtin", value=None), value=None, peak=None, why="over"), "back to normal"),
    ],
)
def test_a_resolve_says_how_long_it_lasted_and_how_it_ended(alert: AlertView, said: str) -> None:
    assert sentence(alert) == f"{alert.name} resolved after 35m: {said}"


def test_every_reason_as_text() -> None:
    worse = rate(was_severity="warning")
    tellings = [
        notification_of(rate()),
        notification_of(
            rate(), spike(more=3, annotations={"summary": "Look at the carrier", "description": "First\nSecond"})
        ),
        notification_of(worse, reason="escalated"),
        notification_of(rate(starts_at=rate().as_of - 4 * HOUR), reason="repeat"),
        notification_of(rate(), over(spike()), reason="some resolved"),
        notification_of(over(rate()), status="resolved", reason="all resolved", created_at=rate().as_of + 30 * MINUTE),
        notification_of(rate(), reason="test", truncated=7),
    ]
    is_as_before("text.txt", "\n\n".join(plain_text(each) for each in tellings) + "\n")


def test_beside_those_that_fire_what_is_over_says_so() -> None:
    mixed = plain_text(notification_of(rate(), over(spike()), reason="some resolved")).splitlines()
    [fires] = [line for line in mixed if "OperatorFailureRate  " in line]
    [is_over] = [line for line in mixed if "UndeliveredSpike  " in line]
    assert "resolved" not in fires
    assert is_over.startswith("▌ UndeliveredSpike  resolved: ")
    both = notification_of(over(rate()), over(spike()), status="resolved", reason="all resolved")
    assert "resolved: " not in plain_text(both), "the head says so of all"


def test_the_worst_alert_comes_first() -> None:
    milder = rate(fingerprint="1", value=0.25, labels={"operator": "Vodafone"})
    lines = plain_text(notification_of(spike(), milder, rate())).splitlines()
    heads = [line for line in lines if "OperatorFailureRate  " in line or "UndeliveredSpike  " in line]
    assert ["Cosmote" in heads[0], "Vodafone" in heads[1], "Spike" in heads[2]] == [True, True, True]


def test_of_an_escalation_only_the_side_that_goes_on_is_shown() -> None:
    told = notification_of(over(rate(severity="warning")), rate())
    assert plain_text(told).count("Cosmote (GR)") == 1


def test_data_cannot_steer_a_terminal_or_add_lines() -> None:
    evil = "\x1b]0;owned\x07\x1b[2J\nCRITICAL\u202eevil\x9b31m"
    sample = Sample(evil, evil, evil, evil, evil, 0)
    text = plain_text(
        notification_of(rate(labels={"operator": evil}, samples=(sample,), breakdown=(Cause("from", evil, 1.0, 1),)))
    )
    assert not {"\x1b", "\x07", "\u202e", "\x9b"} & set(text)
    assert all(line.startswith("▌") for line in text.splitlines())


def test_a_problem_is_named_under_the_text() -> None:
    assert plain_text(notification_of(), "The template x failed: line 3").endswith("▌ The template x failed: line 3")


def test_a_notification_without_alerts_can_be_told() -> None:
    assert plain_text(msgspec.structs.replace(notification_of(), alerts=(), status="resolved")).startswith("▌ RESOLVED")


@given(
    st.builds(
        AlertView,
        unit=st.sampled_from(["share", "count", "seconds", "money"]),
        kind=st.sampled_from(
            [
                "rate",
                "count",
                "spike",
                "latency",
                "stuck",
                "cost",
                "balance",
                "other",
                "absence",
                "new_value",
                "distinct",
                "slo",
            ]
        ),
        labels=st.dictionaries(st.sampled_from(["operator", "country", "from", "status"]), st.text(max_size=200)),
        starts_at=st.integers(0, 2**51),
        as_of=st.integers(0, 2**51),
        ends_at=st.none() | st.integers(0, 2**51),
        window=st.none() | st.integers(0, 2**51),
        samples=st.just(()),
    )
)
def test_whatever_an_alert_holds_it_becomes_one_bounded_sentence(alert: AlertView) -> None:
    said = sentence(alert)
    assert "\n" not in said
    assert len(said) < 1000


def test_an_alert_that_only_keeps_firing_says_so() -> None:
    alert = rate(value=0.0048, fires_on_until=rate().as_of + 10 * MINUTE)
    assert sentence(alert).endswith("threshold 20%; no longer crossed, keeps firing")
    assert (
        "keeps firing until 2026-11-21 17:17:04 UTC, although its threshold is no longer crossed (keep_firing_for)"
        in plain_text(notification_of(alert))
    )
    ended = over(alert)
    assert "crossed" not in sentence(ended) + plain_text(notification_of(ended))


def test_of_very_many_alerts_those_that_are_over_are_named_among_the_first() -> None:
    firing = [change(rate(), fingerprint=f"f{i}", labels={"operator": f"Firing {i}"}) for i in range(40)]
    ended = over(change(rate(), fingerprint="e", labels={"operator": "Ended"}))
    text = plain_text(notification_of(*firing, ended))
    assert "resolved: " in text
    assert "Ended" in text
    assert text.index("Firing") < text.index("Ended")
    shown = shown_views(notification_of(*firing, *[change(ended, fingerprint=f"e{i}") for i in range(40)]))
    assert [one.status for one in shown[:11]] == [*["firing"] * 5, *["resolved"] * 5, "firing"]
    assert len({one.fingerprint for one in shown}) == 80
