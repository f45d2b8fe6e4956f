"""One incident in Slack: posted once, edited as it changes, each change in its thread, also over a restart."""

from pathlib import Path
from typing import Any

import pytest
from e2e_folder import account, write
from e2e_stage import FAILING, SEARCH, fast_clock, put_operator, routee, running

from monitor.simulation.sandbox import Sandbox
from tests.fakes.slack import TOKEN, FakeSlack, slack
from tests.fakes.waiting import until

pytestmark = pytest.mark.e2e


async def test_an_incident_is_one_message_that_is_edited_over_a_restart_until_it_is_over(
    tmp_path: Path, store_in: dict[str, Any]
) -> None:
    clock = fast_clock()
    sandbox = Sandbox(clock)
    async with routee(sandbox) as url, slack() as seen:
        channel = {"channel": "#sms-ops", "token": TOKEN, "api_url": seen.api_url}
        config = write(
            tmp_path,
            [FAILING],
            accounts=[account(url)],
            searches=[SEARCH],
            receivers=[{"name": "ops", "slack": [channel]}],
            route={"group_interval": "30s"},
            **store_in,
        )
        async with running(config, clock):
            put_operator(sandbox, "Cosmote", failed=5)
            await until(lambda: seen.main, "the incident to be posted")
            assert "Cosmote" in text(seen)
            put_operator(sandbox, "Nova", failed=5)
            await until(lambda: len(seen.replies) == 1, "the second operator in the thread")
            assert "Nova" in str(seen.main[0].said)
        async with running(config, clock):
            put_operator(sandbox, "Cosmote", failed=0)
            await until(lambda: len(seen.replies) == 2, "the first one's end in the thread")
            put_operator(sandbox, "Nova", failed=0)
            await until(lambda: len(seen.replies) == 3, "the end in the thread")
    [incident] = seen.main
    assert seen.methods() == ["chat.postMessage", *["chat.update", "chat.postMessage"] * 3]
    assert {reply.thread_ts for reply in seen.replies} == {incident.ts}
    assert incident.edits == 3
    assert "resolved" in text(seen).lower()


async def test_an_end_that_came_while_the_channel_was_archived_is_told_once_it_is_open_again(
    tmp_path: Path, store_in: dict[str, Any]
) -> None:
    clock = fast_clock()
    sandbox = Sandbox(clock)
    async with routee(sandbox) as url, slack() as seen:
        channel = {"channel": "#sms-ops", "token": TOKEN, "api_url": seen.api_url}
        config = write(
            tmp_path,
            [FAILING],
            accounts=[account(url)],
            searches=[SEARCH],
            receivers=[{"name": "ops", "slack": [channel]}],
            route={"group_interval": "30s"},
            **store_in,
        )
        async with running(config, clock):
            put_operator(sandbox, "Cosmote", failed=5)
            await until(lambda: seen.main, "the incident to be posted")
            seen.archived.add("C0SMSOPS")
            put_operator(sandbox, "Cosmote", failed=0)
            await until(lambda: seen.methods().count("chat.postMessage") >= 3, "two attempts to tell the end")
            assert seen.replies == []
            seen.archived.clear()
            await until(lambda: seen.replies, "the end in the thread")
    assert "resolved" in text(seen).lower()
    assert len(seen.main) == 1


def text(seen: FakeSlack) -> str:
    """What a preview of the incident's message shows."""
    return str(seen.main[0].said["text"])
