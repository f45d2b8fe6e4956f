"""A new channel is the model of its entries and a `Channel`, each registered once: everything that people do with channels works with it."""

import functools
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from click.testing import CliRunner, Result

from monitor.cli import cli
from monitor.config.monitor import CHANNEL_MODELS, ChannelModel
from monitor.config.watched_files import files_of
from monitor.config.yaml import Secret, Text
from monitor.daemon import main as daemon
from monitor.daemon.validate import load
from monitor.model.notification import Notification
from monitor.notify.channels import CHANNELS, Channel, ChannelContext, EntryContext, Outcome, Preview, Rejected, Sent
from monitor.notify.channels.channel import HIDDEN
from monitor.runtime.clock import TrioClock
from monitor.runtime.errors import Problem
from tests.fakes.routee import APPLICATION_ID, APPLICATION_SECRET, START, local_routee, sms
from tests.fakes.waiting import guarded, until

CONFIG = """
accounts:
  - {{name: main, application_id: "{id}", application_secret: "{secret}", api_url: "{url}", auth_url: "{url}", requests_per_second: 100}}
searches: [{{name: all, every: 20s}}]
rules: [rules.yaml]
receivers:
  - {{name: ops, toy: [{{number: "1", pin_file: pin}}, {{number: "2", pin: p}}]}}
route: {{group_wait: 1s}}
web: {{listen: "127.0.0.1:0"}}
"""
RULES = "rules: [{name: Failing, kind: rate, window: 3m, above: 20%, min_messages: 5, severity: critical}]\n"


class Toy(ChannelModel):
    """A toy pager."""

    kind = "toy"
    listed = "Toy pagers."
    secrets = ("pin",)

    number: Text
    """Which pager."""
    pin: Secret
    """What it asks for."""
    pin_file: Text | None = None
    """A file that holds it."""


class ToyNotifier:
    """Writes down what each number was told."""

    told: list[tuple[str, str]]
    checked = "the number is there"

    def __init__(self, number: str) -> None:
        self.number = number

    async def send(self, notification: Notification, previous: dict[str, str] | None) -> Outcome:
        if self.number == "0":
            return Rejected("nobody has this number")
        self.told.append((self.number, notification.status))
        return Sent()

    async def check(self) -> str:
        return ""


def make(entry: Toy, channel_context: ChannelContext) -> ToyNotifier:
    return ToyNotifier(entry.number)


def preview(entry: Toy, notification: Notification, channel_context: ChannelContext) -> Preview:
    text = f"beep: {notification.status}"
    return Preview(text, {"beep": notification.status}, entry.number, {"pin": HIDDEN})


def problems(entry: Toy, context: EntryContext) -> Iterator[Problem]:
    if not entry.number.isdecimal():
        yield context.problem("is not a number", "number")


@pytest.fixture
def told() -> Iterator[list[tuple[str, str]]]:
    """What was told; the channel is registered meanwhile."""
    CHANNEL_MODELS[Toy.kind], CHANNELS[Toy.kind] = Toy, Channel(Toy, make, preview, problems)
    ToyNotifier.told = []
    yield ToyNotifier.told
    del CHANNEL_MODELS[Toy.kind], CHANNELS[Toy.kind]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write(tmp_path, "http://127.0.0.1:9")


def write(folder: Path, url: str) -> Path:
    path = folder / "monitor.yaml"
    path.write_text(CONFIG.format(url=url, id=APPLICATION_ID, secret=APPLICATION_SECRET))
    (folder / "rules.yaml").write_text(RULES)
    (folder / "pin").write_text("1234\n")
    return path


def command(config: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, [*words, "--config", str(config)])


def test_every_channel_that_can_be_written_can_be_sent_through() -> None:
    assert {kind: channel.model for kind, channel in CHANNELS.items()} == CHANNEL_MODELS
    assert list(CHANNELS) == list(CHANNEL_MODELS)


def test_its_entries_are_read_with_their_secrets(config: Path, told: object) -> None:
    loaded = load(config, {}).settings.config
    [first, second] = loaded.receivers[0].of(Toy)
    assert [channel for channel, _ in (first, second)] == ["toy/0", "toy/1"]
    assert first[1].pin.get_secret_value() == "1234"
    assert config.parent / "pin" in files_of(config, loaded, {})


def test_check_lists_it_and_what_is_wrong_with_it(config: Path, told: object) -> None:
    good = command(config, "check", "--json")
    assert json.loads(good.stdout)["receivers"] == [{"name": "ops", "channels": ["toy/0", "toy/1"]}]
    text = config.read_text()
    config.write_text(text.replace('"2"', "two"))
    said = command(config, "check")
    assert (said.exit_code, "receivers[0].toy[1].number: is not a number" in said.output) == (78, True)
    config.write_text(text.replace('number: "2"', 'nmber: "2"'))
    assert "unknown key; did you mean 'number'?" in command(config, "check").output
    config.write_text(text.replace("toy: [", "tyo: ["))
    assert "unknown key; did you mean 'toy'?" in command(config, "check").output


def test_render_shows_what_it_would_be_told(config: Path, told: list[tuple[str, str]]) -> None:
    shown = json.loads(command(config, "render", "ops", "--sample", "--json", "--channel", "toy/0").stdout)
    assert shown == [
        {"receiver": "ops", "channel": "toy/0", "address": "1", "headers": {"pin": "***"}, "body": {"beep": "firing"}}
    ]
    assert told == []


def test_send_test_sends_through_it_and_says_what_it_did_not_take(config: Path, told: list[tuple[str, str]]) -> None:
    assert command(config, "send-test", "ops").exit_code == 0
    assert sorted(told) == [("1", "firing"), ("1", "resolved"), ("2", "firing"), ("2", "resolved")]
    config.write_text(config.read_text().replace('"2"', '"0"'))
    outcome = command(config, "send-test", "ops")
    assert (outcome.exit_code, "✗ ops toy/1: nobody has this number" in outcome.output) == (69, True)


def test_the_schema_for_editors_has_it(told: object) -> None:
    schema = json.loads(CliRunner().invoke(cli, ["schema", "config"]).stdout)["$defs"]
    assert schema["Receiver"]["properties"]["toy"] == {
        "description": "Toy pagers.",
        "items": {"$ref": "#/$defs/Toy"},
        "type": "array",
    }
    assert set(schema["Toy"]["properties"]) == {"number", "pin", "pin_file"}


async def test_the_daemon_tells_it_of_an_alert(tmp_path: Path, told: list[tuple[str, str]]) -> None:
    clock, stop = TrioClock(START, speed=60), trio.Event()
    async with local_routee(clock) as routee:
        loaded = load(write(tmp_path, routee.url), {})
        for _ in range(20):
            routee.sandbox.put(sms("Undelivered", clock.now()))
        run = functools.partial(
            daemon.run, loaded.settings, loaded.templates, stop=stop, clock=clock, stream=io.StringIO()
        )
        with guarded():
            async with trio.open_nursery() as nursery:
                await nursery.start(run)
                await until(lambda: {("1", "firing"), ("2", "firing")} <= set(told), "both pagers to be told")
                stop.set()
