"""What is said of campaigns and balances in one sentence."""

import msgspec
import pytest

from monitor.model.notification import AlertView
from monitor.notify.render import sample_view, sentence
from monitor.runtime.clock import MINUTE

GROUP = ("campaign", "campaignTrackingId", "problem")


def campaign(why: str, **more: object) -> AlertView:
    return msgspec.structs.replace(sample_view("Watch", "campaign", GROUP, window=None), why=why, **more)  # type: ignore[arg-type]  # fields of a view


def balance(why: str, **more: object) -> AlertView:
    return msgspec.structs.replace(sample_view("Low", "balance", window=None), why=why, **more)  # type: ignore[arg-type]  # fields of a view


NAMELESS = {"campaign": "unknown", "campaignTrackingId": "182d20da", "problem": "stalled"}


@pytest.mark.parametrize(
    ("view", "said"),
    [
        (
            campaign("fails: 9 of 20 messages failed (45%), limit 20%"),
            "Watch: Black Friday fails: 9 of 20 messages failed (45%), limit 20%",
        ),
        (
            campaign("has stalled: nothing changed for 34m", unit="seconds", labels=NAMELESS),
            "Watch: 182d20da has stalled: nothing changed for 34m",
        ),
        (
            campaign("has ended: 20 messages in 4m: 90% delivered", threshold=None),
            "Watch: Black Friday has ended: 20 messages in 4m: 90% delivered",
        ),
        (
            balance("41.20 EUR left: lasts 9h at 4.5 EUR an hour"),
            "Low: Only 41.20 EUR left: lasts 9h at 4.5 EUR an hour, threshold 50",
        ),
        (
            balance("41.20 EUR left: lasts 9h at 4.5 EUR an hour", unit="seconds", value=32400.0, threshold=172800.0),
            "Low: Only 41.20 EUR left: lasts 9h at 4.5 EUR an hour, threshold 2d",
        ),
        (
            balance("41.20 EUR left: lasts 9h at 4.5 EUR an hour", labels={"account": "otp"}),
            "Low: Only 41.20 EUR left on account otp: lasts 9h at 4.5 EUR an hour, threshold 50",
        ),
        (balance("", value=41.2), "Low: Only 41.20 left, threshold 50"),
        (
            balance("not enough data: the balance has not been read yet", value=None),
            "Low: not enough data: the balance has not been read yet",
        ),
    ],
)
def test_the_reason_is_the_sentence(view: AlertView, said: str) -> None:
    assert sentence(view) == said


@pytest.mark.parametrize(
    ("view", "said"),
    [
        (
            campaign("9 of 200 messages failed (4.5%), limit 20%"),
            "Black Friday: 9 of 200 messages failed (4.5%), limit 20%",
        ),
        (
            campaign("has ended: 30 of 120 messages failed (25%)"),
            "Black Friday has ended: 30 of 120 messages failed (25%)",
        ),
        (campaign("is over: no message and no report for a day", value=None), "back to normal"),
        (balance("90.00 EUR left", value=90.0, peak=3.0), "90.00 EUR left, at worst 3.00"),
    ],
)
def test_a_resolve_says_how_it_stands_now(view: AlertView, said: str) -> None:
    over = msgspec.structs.replace(view, status="resolved", ends_at=view.starts_at + 35 * MINUTE)
    assert sentence(over) == f"{view.name} resolved after 35m: {said}"
