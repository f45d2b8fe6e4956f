"""What people enter is safe to keep and to show, wherever it comes from and wherever it goes."""

import json
import re

import msgspec
import pytest

from monitor.notify.channels.slack.block_kit import message
from monitor.notify.render.alertmanager_payload import alertmanager
from monitor.notify.render.text import plain_text
from monitor.routing.entered_text import LONGEST, entered_comment, entered_name
from monitor.routing.matchers import Matcher
from monitor.routing.silences import new_silence
from monitor.runtime.clock import HOUR, MINUTE
from monitor.runtime.printable import UNPRINTABLE
from tests.fakes.operator_harness import OperatorHarness

HOSTILE = "Ann\x00 \x1b]0;title\x07\u202eeman\u202c\u200b\r\n@here <b>\ud800\tand\x85more"
BREAKS = re.compile("\n")


def is_safe(text: str) -> bool:
    return not UNPRINTABLE.search(BREAKS.sub("", text))


def test_names_are_one_line_and_comments_keep_their_lines() -> None:
    assert entered_name(HOSTILE, "the name") == "Ann ]0;titleeman @here <b> and more"
    assert entered_comment(HOSTILE, "the comment") == "Ann ]0;titleeman\n@here <b> and\nmore"
    assert entered_comment("Ζωή, 王: 50% – fine! 👍", "the comment") == "Ζωή, 王: 50% – fine! 👍"


def test_what_is_too_long_is_refused_and_not_cut() -> None:
    assert len(entered_comment("x" * LONGEST, "the comment")) == LONGEST
    with pytest.raises(ValueError, match="the comment is longer than 1,000 characters"):
        entered_comment("x" * (LONGEST + 1), "the comment")


@pytest.mark.parametrize(("by", "comment"), [("\u200b\x00", "why"), ("Ann", "\u202e \x07")])
def test_what_cannot_be_seen_says_nothing(by: str, comment: str) -> None:
    with pytest.raises(ValueError, match="a silence must say"):
        silence(by, comment)


def silence(by: str, comment: str, value: str = "Cosmote") -> bytes:
    made = new_silence(
        [Matcher("operator", "=", value)],
        starts_at=0,
        ends_at=HOUR,
        created_by=by,
        comment=comment,
        now=0,
        id="one",
    )
    return msgspec.json.encode(made)


def test_a_silence_can_be_stored_whatever_is_entered() -> None:
    kept = json.loads(silence(HOSTILE, HOSTILE, "\x00\u202e"))
    assert is_safe(kept["created_by"] + kept["comment"])
    assert kept["matchers"][0]["value"] == "\x00\u202e", "a label may hold anything, and is matched exactly"
    with pytest.raises(ValueError, match="half of a surrogate pair"):
        silence("Ann", "why", "\udcff")


async def test_an_acknowledgement_is_safe_in_every_channel() -> None:
    world = OperatorHarness()
    await world.poll(Cosmote=4)
    await world.harness.actions.acknowledge(world.alert("Cosmote").fingerprint, HOSTILE, HOSTILE)
    await world.poll(5 * MINUTE, Cosmote=4, Nova=4)
    one = world.last
    assert "titleeman" in plain_text(one)
    payloads = [message(one), alertmanager(one), msgspec.to_builtins(one)]  # Slack's, a webhook's, what a template sees
    shown = [plain_text(one), *(json.dumps(each, ensure_ascii=False) for each in payloads)]
    assert [is_safe(each.replace("\u2060", "")) for each in shown] == [True] * 4, "the word joiner is our own"
