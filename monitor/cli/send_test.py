"""``routee-monitor send-test``: a sample notification, sent for real."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.options import config_option, json_option, level_option
from monitor.cli.reading import read_everything
from monitor.cli.table import print_json
from monitor.errors import MonitorError

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

    loaded = read_everything(config)
    names = [one.name for one in loaded.settings.config.receivers]
    if receiver not in names:
        raise MonitorError(_unknown("receiver", receiver, names))
    outcomes = trio.run(_send, receiver, _sample(receiver, rule, loaded), loaded)
    if as_json:
        print_json([{"channel": channel, "ok": not why, "why": why} for channel, why in outcomes.items()])
    else:
        for channel, why in outcomes.items():
            click.echo(f"✗ {receiver} {channel}: {why}" if why else f"✓ {receiver} {channel}: sent")
    return EXIT_NOT_SENT if any(outcomes.values()) else 0


def _unknown(what: str, name: str, known: list[str]) -> str:
    from monitor.written import suggest

    return f"there is no {what} {name!r}{suggest(name, known)}"


def _sample(receiver: str, rule: str | None, loaded: "Loaded") -> "Notification":
    """A firing alert, now."""
    import secrets

    import msgspec

    from monitor.clock import MINUTE, SystemClock
    from monitor.loading import sample_of
    from monitor.render import sample_notification, sample_view
    from monitor.view import links_of

    now = SystemClock().now()
    view = sample_view("TestNotification", "rate", ("operator", "country"), severity="info")
    if rule is not None:
        rules = {one.name: one for one in loaded.settings.rules}
        if rule not in rules:
            raise MonitorError(_unknown("rule", rule, sorted(rules)))
        view = sample_of(rules[rule], len(loaded.settings.config.accounts))
    view = msgspec.structs.replace(view, starts_at=now - 5 * MINUTE, as_of=now, links=())
    if rule is not None:
        texts, _ = loaded.templates.render_annotations(rules[rule].annotations, view)
        view = msgspec.structs.replace(view, annotations=texts, links=links_of(rules[rule]))
    key = f"test-{secrets.token_hex(8)}"  # another one each time: nobody takes it for a repetition
    sample = sample_notification([view], receiver)
    web = loaded.settings.config.web
    url = (web.external_url or "") if web is not None else ""
    return msgspec.structs.replace(sample, key=key, episode=key, reason="test", created_at=now, external_url=url)


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
