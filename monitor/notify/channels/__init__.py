"""The channels, one folder for each kind. To add a kind, add a folder with its `Channel` and list it here; its model is in `monitor.config`.

channel       what a kind has to provide      protocol  the results of sending, and the interface of notifiers
http          HTTP requests of all channels   reach     checks whether a connection opens
slack         a bot, or an incoming webhook   webhook   any HTTP endpoint
alertmanager  Alertmanagers                   apprise   the services that Apprise supports
console       the terminal
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
"""Every kind of channel, by the key of its entries."""


def make_notifier(kind: str, entry: Any, channel_context: ChannelContext) -> Notifier:
    """Returns the notifier of one entry of a receiver; ``kind`` is the key of the entry. Raises TemplateProblem, and KeyError for an unknown kind."""
    return CHANNELS[kind].make(entry, channel_context)


def preview(entry: ChannelModel, notification: Notification, channel_context: ChannelContext) -> Preview:
    """Returns what an entry of a receiver would send for a notification."""
    return CHANNELS[entry.kind].preview(entry, notification, channel_context)


def problems(entry: ChannelModel, context: EntryContext) -> Iterable[Problem]:
    """Returns the problems of an entry that only its channel can find: in its templates or its address."""
    return CHANNELS[entry.kind].problems(entry, context)
