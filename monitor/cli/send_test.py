"""``routee-monitor send-test``: sends a sample notification."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.load import read_everything
from monitor.cli.options import config_option, json_option, level_option
from monitor.cli.output import name_variables, say
from monitor.cli.progress import progress
from monitor.cli.table import print_json

if TYPE_CHECKING:
    from monitor.daemon.validate import SettingsWithTemplates
    from monitor.model.notification import Notification

EXIT_NOT_SENT = 69


@click.command("send-test", short_help="Send a sample notification to a receiver.")
@click.argument("receiver")
@config_option
@json_option
@level_option
@click.option("--rule", metavar="RULE", help="Send a sample alert of this rule; default: an example.")
def send_test(receiver: str, config: Path | None, as_json: bool, rule: str | None) -> int:
    """Send a sample notification through every channel of RECEIVER, and show the result.

    It is sent at once, beside the daemon. It is marked as a test: the label test="true", the severity none. Its resolve
    follows, so that what it opened at an on-call service is closed again.

    \b
    Exit codes: 0 every channel accepted it; 1 there is no such receiver or rule;
    69 a channel did not accept it; 65, 78 bad rules or configuration.
    """
    import trio

    from monitor.cli.choices import known

    name_variables()
    loaded = read_everything(config)
    known("receiver", receiver, [one.name for one in loaded.settings.config.receivers])
    firing, over = _samples(receiver, rule, loaded)
    with progress(f"sending to {receiver}"):
        outcomes = trio.run(_send, receiver, firing, over, loaded)
    if as_json:
        print_json([{"channel": channel, "ok": not why, "why": why} for channel, why in outcomes.items()])
    else:
        for channel, why in outcomes.items():
            good = f"✓ {receiver} {channel}: sent, and resolved"
            say(f"✗ {receiver} {channel}: {why}" if why else good, indent=2)
    return EXIT_NOT_SENT if any(outcomes.values()) else 0


def _samples(receiver: str, rule: str | None, loaded: "SettingsWithTemplates") -> "tuple[Notification, Notification]":
    """Returns an alert that fires now, and its end."""
    import secrets

    from monitor.cli.sample_alert import as_test, notification_to, over, sample

    view = sample(rule, loaded)
    firing, resolved = as_test(view), as_test(over(view, loaded))
    episode = f"test-{secrets.token_hex(8)}"  # a new one each time, so that nobody treats it as a repetition
    return (
        notification_to(receiver, firing, loaded, key=f"{episode}-1", episode=episode, reason="test"),
        notification_to(receiver, resolved, loaded, key=f"{episode}-2", episode=episode, reason="test"),
    )


async def _send(
    receiver: str, firing: "Notification", over: "Notification", loaded: "SettingsWithTemplates"
) -> dict[str, str]:
    """Returns by channel what it did not accept and why; empty if it accepted both."""
    import sys

    import trio

    from monitor.notify.receivers import notifiers, send_firing_and_resolved
    from monitor.runtime.clock import SystemClock

    channels = notifiers(loaded.settings.config, loaded.templates, SystemClock(), sys.stdout)
    mine = {channel: notifier for (name, channel), notifier in channels.items() if name == receiver}
    outcomes = dict.fromkeys(mine, "")

    async def send(channel: str) -> None:
        outcomes[channel] = await send_firing_and_resolved(mine[channel], firing, over)

    async with trio.open_nursery() as nursery:
        for channel in mine:
            nursery.start_soon(send, channel)
    return outcomes
