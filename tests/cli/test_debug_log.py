"""`--log-level debug`: each request, poll, evaluation, flush and send has a line, and none of them says too much."""

import functools
import io
import logging
import re

import pytest
import trio
from cli_folder import CREDENTIALS, Folder

from monitor.daemon import main as daemon
from monitor.daemon.validate import load
from tests.fakes.waiting import guarded, until

LINES = [
    r"asked Routee for account main: POST /oauth/token: ok, status 200, 0 messages, \d+ ms",
    r"asked Routee for account main: (GET|POST) /sms/tracking[a-z/]*: ok, status 200, 162 messages, \d+ ms",
    r"poll of search outbound of account main: reads \S+Z to \S+Z \(\S+\): it was never polled; all of it",
    (
        r"poll of search outbound of account main ended: ok, [1-9]\d* requests, [1-9]\d* pages, [1-9]\d* messages, "
        r"0 records unread, [1-9]\d* slices, \d+ read again, \d+ unchanged, \d+ ms"
    ),
    (
        r"evaluated account main after search outbound: 2 rules, 4 groups, \d+ alerts changed, 0 failed, \S+ ms "
        r"\(the longest: (?=.*OperatorFailureRate 3 groups \S+ ms).*"
    ),
    r"flushed all accounts: 1 notifications to send, 1 groups changed, 0 ended, \d+ alerts gone over, committed, next at \S+Z, \S+ ms",
    r"send to ops console/0: notification \S+ \(first\), try 1: sent, \d+ ms",
]


@pytest.fixture
def at_once(folder: Folder) -> Folder:
    """Alerts are told as soon as they fire."""
    folder.replace(folder.config, "route: {receiver: ops}", "route: {receiver: ops, group_wait: 0s}")
    return folder


async def run_until_told(folder: Folder) -> str:
    """Runs a daemon until it has told of an alert; returns what the receiver got."""
    loaded, stop, stream = load(folder.config, {}), trio.Event(), io.StringIO()
    run = functools.partial(daemon.run, loaded.settings, loaded.templates, stop=stop, stream=stream)
    with guarded():
        async with trio.open_nursery() as nursery:
            await nursery.start(run)
            await until(lambda: bool(stream.getvalue()), "the notification")
            stop.set()
    return stream.getvalue()


async def test_every_step_from_a_request_to_a_send_has_its_line(
    at_once: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "monitor"):
        told = await run_until_told(at_once)
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.DEBUG]
    for line in LINES:
        assert any(re.fullmatch(line, one) for one in said), (line, said)
    everything = "\n".join(f"{vars(record)}" for record in caplog.records)
    assert not [secret for secret in CREDENTIALS if secret in everything], "nothing secret"
    assert "+3069" not in everything, "no recipient"
    assert told
    assert not any(line.strip("▌ ") in everything for line in told.splitlines() if "failed in" in line), "no text"


async def test_without_it_there_are_none(at_once: Folder, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "monitor"):
        await run_until_told(at_once)
    assert not [record for record in caplog.records if record.levelno < logging.INFO]
