"""``routee-monitor send-test``: a sample notification, sent for real."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.options import config_option, json_option, level_option
from monitor.cli.output import say
from monitor.cli.reading import read_everything
from monitor.cli.table import print_json

if TYPE_CHECKING:
    from monitor.loading import Loaded
    from monitor.notification import Notification

EXIT_NOT_SENT = 69


@click.command("send-test", short_help="Send a sample notification to a receiver.")
@click.argument("receiver")
@config_option
@json_option
@level_option
@click.option("--rule", metavar="RULE", help="As an alert of this rule would look; default: an example.")
def send_test(receiver: str, config: Path | None, as_json: bool, rule: str | None) -> int:
    """Send a sample notification through every channel of RECEIVER, and say what became of it.

    It is sent at once and once, beside the daemon, and is marked as a test.

    \b
    Exit codes: 0 every channel took it; 1 there is no such receiver or rule;
    69 a channel did not take it; 65, 78 bad rules or configuration.
    """
    import trio

    from monitor.cli.sample import known

    loaded = read_everything(config)
    known("receiver", receiver, [one.name for one in loaded.settings.config.receivers])
    outcomes = trio.run(_send, receiver, _sample(receiver, rule, loaded), loaded)
    if as_json:
        print_json([{"channel": channel, "ok": not why, "why": why} for channel, why in outcomes.items()])
    else:
        for channel, why in outcomes.items():
            say(f"✗ {receiver} {channel}: {why}" if why else f"✓ {receiver} {channel}: sent", indent=2)
    return EXIT_NOT_SENT if any(outcomes.values()) else 0


def _sample(receiver: str, rule: str | None, loaded: "Loaded") -> "Notification":
    """A firing alert, now."""
    import secrets

    from monitor.cli.sample import sample, told

    key = f"test-{secrets.token_hex(8)}"  # another one each time: nobody takes it for a repetition
    return told(receiver, sample(rule, loaded), loaded, key=key, episode=key, reason="test")


async def _send(receiver: str, sample: "Notification", loaded: "Loaded") -> dict[str, str]:
    """By channel: why it did not take it, empty where it did."""
    import sys

    import trio

    from monitor.clock import SystemClock
    from monitor.receivers import notifiers, told

    channels = notifiers(loaded.settings.config, loaded.templates, SystemClock(), sys.stdout)
    mine = {channel: notifier for (name, channel), notifier in channels.items() if name == receiver}
    outcomes = dict.fromkeys(mine, "")

    async def send(channel: str) -> None:
        outcomes[channel] = await told(mine[channel], sample)

    async with trio.open_nursery() as nursery:
        for channel in mine:
            nursery.start_soon(send, channel)
    return outcomes
