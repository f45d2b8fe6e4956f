"""Channels, one folder a kind. A new one is a folder with its `Channel`, and one word here; its entries' model stands in `monitor.config`.

channel       what a kind brings along        protocol  what sending can come to, and what a notifier promises
http          the one place that speaks HTTP  reach     whether a connection opens
slack         a bot, or an incoming webhook   webhook   any HTTP endpoint
alertmanager  Alertmanagers                   apprise   whatever Apprise knows
console       this terminal
"""

from collections.abc import Iterable
from typing import Any, Final

from monitor.config.monitor import ChannelModel
from monitor.model.notification import Notification
from monitor.notify.channels.alertmanager.channel import ALERTMANAGER
from monitor.notify.channels.apprise.channel import APPRISE
from monitor.notify.channels.channel import Channel, ChannelContext, EntryContext, Preview
from monitor.notify.channels.console.channel import CONSOLE
from monitor.notify.channels.protocol import Notifier, Outcome, Rejected, Retry, Sent
from monitor.notify.channels.slack.channel import SLACK
from monitor.notify.channels.webhook.channel import WEBHOOK
from monitor.runtime.errors import Problem

__all__ = [
    "CHANNELS",
    "Channel",
    "ChannelContext",
    "EntryContext",
    "Notifier",
    "Outcome",
    "Preview",
    "Rejected",
    "Retry",
    "Sent",
    "make_notifier",
    "preview",
    "problems",
]

CHANNELS: Final[dict[str, Channel[Any]]] = {
    channel.model.kind: channel for channel in (SLACK, WEBHOOK, ALERTMANAGER, APPRISE, CONSOLE)
}
"""Every kind of channel, by the key that its entries stand under."""


def make_notifier(kind: str, entry: Any, channel_context: ChannelContext) -> Notifier:
    """The notifier of one entry of a receiver; ``kind`` is the key that it stands under. Raises TemplateProblem, and KeyError for no kind."""
    return CHANNELS[kind].make(entry, channel_context)


def preview(entry: ChannelModel, notification: Notification, channel_context: ChannelContext) -> Preview:
    """What an entry of a receiver would make of a notification."""
    return CHANNELS[entry.kind].preview(entry, notification, channel_context)


def problems(entry: ChannelModel, context: EntryContext) -> Iterable[Problem]:
    """What is wrong with an entry that only its channel knows: its templates, its address."""
    return CHANNELS[entry.kind].problems(entry, context)
