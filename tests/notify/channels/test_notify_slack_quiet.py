"""What Slack shows without disturbing anybody, and what it shows of a storm."""

from monitor.notify.channels.protocol import Sent
from monitor.notify.channels.slack.block_kit import message
from monitor.notify.channels.slack.bot import SlackNotifier
from monitor.notify.render.text import plain_text
from monitor.runtime.clock import SystemClock
from tests.fakes.alerts import notification_of, rate
from tests.fakes.slack import TOKEN, FakeSlack, slack

ACKED = notification_of(rate(acknowledged_by="Ann <!channel>"), key="key-2", reason="acknowledged")


def notifier(fake: FakeSlack) -> SlackNotifier:
    return SlackNotifier(TOKEN, "#sms-ops", clock=SystemClock(), api_url=fake.api_url)


async def test_an_acknowledgement_is_an_edit_without_a_line_in_the_thread() -> None:
    async with slack() as fake:
        channel = notifier(fake)
        first = await channel.send(notification_of(rate()), None)
        assert isinstance(first, Sent)
        assert await channel.send(ACKED, first.receipt) == first
        (main,) = fake.posts
        assert main.edits == 1
        assert "acknowledged by Ann" in str(main.said["attachments"])
        assert "<!channel>" not in str(main.said)


async def test_an_acknowledgement_of_a_message_that_is_gone_makes_no_new_one() -> None:
    async with slack() as fake:
        assert await notifier(fake).send(ACKED, None) == Sent({})
        assert fake.posts == []


def test_who_has_taken_an_acknowledgement_back_is_not_shown_any_more() -> None:
    assert "no longer acknowledged" in plain_text(notification_of(rate(), reason="acknowledged"))


def test_a_storm_is_said_first_and_its_worst_alert_stands_below_with_its_name() -> None:
    storm = notification_of(rate(), tally={"OperatorFailureRate": 9_000, "CountryOutage": 981}, truncated=9_980)
    made = message(storm)
    said = "Storm: 9,981 more alerts, in one message: 9,000 OperatorFailureRate, 981 CountryOutage"
    assert made["text"] == f"CRITICAL firing: {said}"
    assert made["blocks"][0]["text"]["text"] == f"*{said}*"
    assert "*OperatorFailureRate*" in str(made["attachments"][0])
    assert "+9,980 more" in str(made["attachments"][1])


def test_a_storm_of_many_names_counts_the_rest_of_them() -> None:
    storm = notification_of(rate(), tally={f"Rule{i}": 1 for i in range(8)})
    assert message(storm)["text"].endswith("1 Rule4, 3 other names")


def test_the_terminal_says_what_has_been_made_of_an_alert() -> None:
    text = plain_text(notification_of(rate(acknowledged_by="Ann", suppressed="silenced", flapping=4)))
    for mark in ("acknowledged by Ann", "silenced", "flapping: 4 times in the last hour"):
        assert f"▌ {mark}\n" in text
