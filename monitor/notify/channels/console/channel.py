"""The console channel: makes a notifier from a receiver's entry."""

from typing import TYPE_CHECKING, Final

from monitor.config.monitor import Console
from monitor.model.notification import Notification
from monitor.notify.channels.channel import Channel, ChannelContext, Preview
from monitor.notify.render import plain_text

if TYPE_CHECKING:
    from monitor.notify.channels.console.notifier import ConsoleNotifier


def _make(entry: Console, channel_context: ChannelContext) -> "ConsoleNotifier":
    from monitor.notify.channels.console.notifier import ConsoleNotifier

    return ConsoleNotifier(channel_context.stream)


def _preview(entry: Console, notification: Notification, channel_context: ChannelContext) -> Preview:
    text = plain_text(notification)
    return Preview(text, text)


CONSOLE: Final = Channel(Console, _make, _preview)
