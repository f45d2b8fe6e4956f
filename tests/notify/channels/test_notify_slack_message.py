"""What the Slack message looks like, and that no data can break it or speak through it."""

import json
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from monitor.model.notification import AlertView, Cause, Link, Notification, Sample
from monitor.notify.channels.slack.block_kit import COLOURS, headline, message, plainer, reply
from monitor.notify.render import Templates
from monitor.runtime.clock import MINUTE
from tests.fakes.alerts import change, notification_of, over, rate, spike
from tests.fakes.slack import broken_limit
from tests.golden import is_as_before

EVIL = "<!channel> <!here> @here <@U123> <https://evil.example|click> *bold* `code` ~gone~ _it_ :skull: &amp;\n> quote"


def everything(made: dict[str, Any]) -> str:
    return json.dumps(made, ensure_ascii=False)


def test_the_messages_are_as_before() -> None:
    end = rate().as_of + 30 * MINUTE
    tellings = {
        "first": notification_of(
            rate(
                annotations={
                    "summary": "Cosmote filters our messages: reroute, then call them",
                    "runbook_url": "https://wiki.example.org/sms",
                }
            )
        ),
        "two": notification_of(rate(), spike(more=3), truncated=4, reason="new alerts"),
        "escalated": notification_of(rate(was_severity="warning"), reason="escalated"),
        "resolved": notification_of(over(rate()), status="resolved", reason="all resolved", created_at=end),
    }
    made = {name: {"message": message(told), "reply": reply(told)} for name, told in tellings.items()}
    is_as_before("slack.json", json.dumps(made, indent=2, ensure_ascii=False) + "\n")


def test_the_preview_is_one_sentence_with_the_number() -> None:
    said = "CRITICAL firing: OperatorFailureRate: 34.2% of 1,204 messages to Cosmote (GR) failed in 15m, threshold 20%"
    assert message(notification_of())["text"] == said
    assert message(notification_of(rate(), spike()))["text"] == f"{said} (+1 more)"


def test_each_alert_has_a_bar_in_its_colour() -> None:
    told = notification_of(rate(), spike(), rate(fingerprint="3", severity="info"), over(spike(fingerprint="4")))
    *bars, worst = [attachment["color"] for attachment in message(told)["attachments"]]
    assert worst == COLOURS["critical"], "what explains the worst stands below the list"
    assert bars == [COLOURS["critical"], COLOURS["warning"], COLOURS["info"], COLOURS["resolved"]]


def test_what_an_ops_person_asks_is_answered() -> None:
    text = everything(message(notification_of()))
    for wanted in (
        "*34.2%* of 1,204 messages to Cosmote (GR) failed in 15m, threshold 20%",
        "Since 2026-11-21 17:02 UTC, for 5m",
        "92% Carrier Violation · 88% sender Shop",
        "▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▃▄▅▆▇██",
        "a6b62347-51c0-4d0e-8a35-6f5cf0c6e0d1  +30691•••••78",
        "https://wiki.example.org/sms",
    ):
        assert wanted in text


def test_a_resolve_turns_green_and_says_how_long_and_how_bad() -> None:
    told = notification_of(over(rate()), status="resolved", reason="all resolved")
    made = message(told)
    assert [each["color"] for each in made["attachments"]] == [COLOURS["resolved"]]
    assert made["text"].startswith("CRITICAL resolved: OperatorFailureRate after 35m: ")
    assert "at worst 34.2%" in made["text"]
    assert reply(told)["text"].startswith("*CRITICAL resolved*  *OperatorFailureRate* after *35m*: ")


ADVICE = {
    "summary": "Cosmote (GR) loses 34.2% of what it is given: 411 of 1,204 messages in 15m.",
    "description": "• Run `routee-monitor campaign 182d20da` first.",
    "runbook_url": "https://wiki.example.org/sms",
}


def test_one_fact_stands_once() -> None:
    text = everything(message(notification_of(rate(annotations=ADVICE))) | {"text": ""})
    assert text.count("34.2%") == 3, "the sentence, its fallback, and the end of the course"
    assert text.count("1,204") == 2
    own = ADVICE | {
        "summary": "Cosmote filters our messages since 34.2% of them go to one sender: reroute them, then call +30 210 0000 and ask"
    }
    assert "reroute them" in everything(message(notification_of(rate(annotations=own))))


def test_of_nine_alerts_the_list_comes_first_and_what_to_do_once() -> None:
    operators = [
        rate(fingerprint=str(index), annotations=ADVICE, labels={**rate().labels, "operator": f"Op{index}"})
        for index in range(9)
    ]
    made = message(notification_of(*operators))
    text = everything(made)
    assert (
        made["blocks"][0]["text"]["text"]
        == "*CRITICAL firing*  *OperatorFailureRate*: 9 alerts, since 2026-11-21 17:02 UTC, for 5m"
    )
    assert [text.count(f"messages to Op{index} ") for index in range(1, 9)] == [2] * 8, (
        "its line, and the line's fallback"
    )
    assert text.count("routee-monitor campaign") == text.count("https://wiki.example.org/sms") == 1
    assert text.index("to Op8 ") < text.index("routee-monitor campaign")
    assert broken_limit(made) == ""


def test_code_stays_code_and_times_stay_times() -> None:
    acknowledged = {"acknowledged_by": "Ann", "acknowledged_comment": "since 17:02:05"}
    view = rate(annotations={"description": "At 17:02:05 run `store copy a_b *.db`, not ``"}, **acknowledged)
    text = everything(message(notification_of(view)))
    assert "At 17:02:05 run `store copy a_b *.db`, not ˋˋ" in text
    assert "acknowledged by Ann: since 17:02:05" in text
    assert "\u2060" not in text


def test_since_is_when_the_trouble_began_by_both_clocks() -> None:
    view = rate(began_at=rate().as_of - 10 * MINUTE, time_zone="Europe/Athens")
    assert "Since 2026-11-21 16:57 UTC (18:57 Athens), for 10m" in everything(message(notification_of(view)))


def test_an_alert_that_only_keeps_firing_says_so() -> None:
    made = message(notification_of(rate(fires_on_until=rate().as_of + 10 * MINUTE)))
    assert made["text"].endswith("; no longer crossed, keeps firing")
    assert "keeps firing until 2026-11-21 17:17:04 UTC, although its threshold is no longer crossed" in everything(made)


def test_a_test_offers_nothing_to_acknowledge_or_silence() -> None:
    names = [
        word
        for word in ("Acknowledge", "Silence", "Status page")
        if word in everything(message(notification_of(rate(links=()), reason="test")))
    ]
    assert names == []


def test_a_runbook_is_offered_once() -> None:
    view = rate(annotations={"runbook_url": "https://wiki.example.org/sms"})
    assert everything(message(notification_of(view))).count("https://wiki.example.org/sms") == 1


def test_an_url_that_slack_would_refuse_is_left_out() -> None:
    links = tuple(
        Link("x", url)
        for url in ("javascript:alert(1)", "https://a b", "https://" + "a" * 4000, "https://good.example")
    )
    buttons = message(notification_of(rate(links=links), external_url=""))["attachments"][0]["blocks"][-1]["elements"]
    assert [button["url"] for button in buttons] == ["https://good.example"]


def elements(made: dict[str, Any]) -> dict[str, str]:
    """The first alert's buttons: their names, and what they open or carry."""
    blocks = [block for block in made["attachments"][0]["blocks"] if block["type"] == "actions"]
    found = [button for block in blocks for button in block["elements"]]
    return {button["text"]["text"]: button.get("url") or f"{button['action_id']} {button['value']}" for button in found}


def test_links_acknowledge_silence_and_open_the_page_where_there_is_one() -> None:
    view = rate(links=(), labels={"alertname": "A & B", "operator": 'Co"s/m?'}, fingerprint="f1")
    assert elements(message(notification_of(view))) == {
        "Acknowledge": "https://sms.example.org/alerts/f1/acknowledge",
        "Silence": "https://sms.example.org/silences/new"
        "?matcher=alertname%3D%22A%20%26%20B%22&matcher=operator%3D%22Co%5C%22s%2Fm%3F%22",
        "Status page": "https://sms.example.org/alerts/f1",
    }
    assert elements(message(notification_of(view, external_url=""))) == {}


def test_with_socket_mode_there_are_buttons_to_press_without_a_page() -> None:
    pressed = {"Acknowledge": "acknowledge f1", "Silence 1 h": "silence f1"}
    view = rate(links=(), fingerprint="f1")
    assert elements(message(notification_of(view, external_url=""), pressable=True)) == pressed
    page = {"Status page": "https://sms.example.org/alerts/f1"}
    assert elements(message(notification_of(view), pressable=True)) == pressed | page


def test_what_is_done_already_or_over_has_no_button() -> None:
    for pressable in (True, False):
        known = notification_of(rate(links=(), acknowledged_by="Ann", suppressed="silenced until 18:00"))
        assert list(elements(message(known, pressable=pressable))) == ["Status page"]
        resolved = notification_of(over(rate(links=())), status="resolved", reason="all resolved")
        assert list(elements(message(resolved, pressable=pressable))) == ["Status page"]


def test_a_silence_too_long_for_an_address_has_no_link_and_takes_no_room() -> None:
    view = rate(labels={"alertname": "A", "from": "x" * 2000})
    made = message(notification_of(view))
    assert "Silence" not in elements(made)
    assert "92% Carrier Violation" in everything(made)


def test_acknowledged_flapping_and_silenced_are_said() -> None:
    view = rate(acknowledged_by="Ann <!here>", flapping=5, suppressed="silenced by Bob")
    marks = "*acknowledged by Ann &lt;!here&gt; · silenced by Bob · flapping: 5 times in the last hour*"
    assert message(notification_of(view))["attachments"][0]["blocks"][0]["elements"][0]["text"] == marks
    many = message(notification_of(rate(), *(change(view, fingerprint=str(number)) for number in range(8))))
    assert everything(many).count(marks) == 8
    assert "acknowledged" not in everything(message(notification_of(over(view), status="resolved")))


def test_the_plainer_message_is_its_text_and_says_so() -> None:
    made = plainer(message(notification_of()) | {"channel": "C0", "ts": "1"}, "invalid_blocks")
    assert (made["blocks"], made["attachments"], made["ts"]) == ([], [], "1")
    assert made["text"].startswith("CRITICAL firing: OperatorFailureRate: 34.2%")
    assert "invalid_blocks" in made["text"]
    assert set(plainer(message(notification_of()) | {"channel": "C0"}, "invalid_blocks")) == {"text", "channel"}


def test_data_neither_mentions_nor_formats_nor_links() -> None:
    labels = {"operator": EVIL, "country": EVIL, "from": EVIL}
    samples = (Sample(EVIL, EVIL, EVIL, EVIL, EVIL, 0),)
    view = rate(
        name=EVIL,
        labels=labels,
        annotations={"summary": EVIL},
        samples=samples,
        breakdown=(Cause("from", EVIL, 0.9, 1),),
        severity=EVIL,
        why=EVIL,
    )
    told = notification_of(view, change(view, fingerprint="2", kind="other"), reason="escalated")
    for made in (message(told), message(told, problem=EVIL), reply(told)):
        text = everything(made)
        for forbidden in (
            "<!channel",
            "<!here",
            "@here",
            "<@U",
            "<http",
            "*bold*",
            "~gone~",
            " _it_ ",
            ":skull:",
            "`code`",
        ):
            assert forbidden not in text


def test_a_template_takes_the_place_of_the_sentence_and_its_failure_is_named() -> None:
    assert message(notification_of(), "<!here> look")["text"] == "CRITICAL firing: <!here> look"
    assert message(notification_of(), "<!here> look")["blocks"][0]["text"]["text"] == "<!here> look"
    failed = message(notification_of(), None, "The template of this message failed: line 2")
    assert failed["text"].startswith("CRITICAL firing: OperatorFailureRate: 34.2%")
    assert "The template of this message failed: line 2" in everything(failed)


def test_many_alerts_are_listed_the_worst_first_and_the_others_counted() -> None:
    views = [
        rate(fingerprint=str(index), value=0.2 + index / 100, labels={"operator": f"Op{index}"}) for index in range(50)
    ]
    made = message(notification_of(*views, truncated=100))
    assert "Op49" in made["text"]
    assert made["text"].endswith("(+149 more)")
    shown = len(made["attachments"]) - 2
    assert made["attachments"][-2]["fallback"] == f"+{150 - shown} more"
    assert broken_limit(made) == ""


texts = st.text(max_size=9) | st.sampled_from(
    ["&" * 4000, "<" * 4000, EVIL * 50, "", " ", "\n\n", "_" * 3000, "Ω" * 3000]
)
views = st.builds(
    AlertView,
    name=texts,
    severity=texts,
    why=texts,
    kind=st.sampled_from(["rate", "count", "spike", "latency", "stuck", "cost", "balance", "other"]),
    labels=st.dictionaries(
        st.sampled_from(["operator", "country", "from", "campaign", "status", "to", "groups"]), texts
    ),
    annotations=st.dictionaries(st.sampled_from(["summary", "description", "runbook_url"]), texts),
    starts_at=st.integers(0, 2**51),
    as_of=st.integers(0, 2**51),
    ends_at=st.none() | st.integers(0, 2**51),
    window=st.none() | st.integers(0, 2**51),
    matched=texts,
    breakdown=st.lists(st.builds(Cause, field=texts, value=texts, share=st.floats(0, 1)), max_size=9).map(tuple),
    samples=st.lists(st.builds(Sample, message_id=texts, to=texts, operator=texts), max_size=9).map(tuple),
    links=st.lists(st.builds(Link, title=texts, url=texts.map("https://{}".format)), max_size=30).map(tuple),
    history=st.lists(st.none() | st.floats(), max_size=60).map(tuple),
    acknowledged_by=texts,
    flapping=st.integers(0, 10**6),
    suppressed=texts,
)
notifications = st.builds(
    Notification,
    alerts=st.lists(views, max_size=15).map(tuple),
    group_labels=st.just({}),
    common_labels=st.just({}),
    common_annotations=st.just({}),
    created_at=st.integers(0, 2**51),
    truncated=st.integers(0, 10**6),
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(notifications)
def test_whatever_there_is_to_say_slacks_limits_are_kept(told: Notification) -> None:
    assert broken_limit(message(told)) == ""
    assert broken_limit(message(told, pressable=True)) == ""
    assert broken_limit(plainer(message(told), "invalid_blocks")) == ""
    assert broken_limit(reply(told)) == ""
    assert "<!channel" not in everything(message(told))


def test_who_writes_the_template_can_mention_somebody_and_a_message_cannot() -> None:
    template = Templates().compile(
        '{% if severity == "critical" %}<!subteam^S0123ABCD> <@U0123ABCD> {% endif %}{{ labels.operator }}',
        form="slack",
    )
    text, problem = headline(template, notification_of(rate(labels={"operator": "<!subteam^S9> <@U9> <!here>"})))
    assert (text or "").startswith("<!subteam^S0123ABCD> <@U0123ABCD> &lt;!subteam^S9&gt;")
    made = message(notification_of(rate()), text, problem)
    assert made["text"] == f"CRITICAL firing: {text}"
    assert made["blocks"][0]["text"]["text"] == text
    assert "<@U9" not in everything(made)
    assert "<!here" not in everything(made)
