"""The Apprise channel: makes a notifier from a receiver's entry."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from monitor.config.monitor import Apprise
from monitor.model.notification import Notification
from monitor.notify.channels.apprise.service import content, problem_text, scheme
from monitor.notify.channels.channel import Channel, ChannelContext, EntryContext, Preview
from monitor.runtime.clock import SECOND
from monitor.runtime.errors import Problem

if TYPE_CHECKING:
    from monitor.notify.channels.apprise.notifier import AppriseNotifier


def _make(entry: Apprise, channel_context: ChannelContext) -> "AppriseNotifier":
    from monitor.notify.channels.apprise.notifier import AppriseNotifier

    return AppriseNotifier(entry.url.get_secret_value(), timeout=entry.timeout / SECOND)


def _preview(entry: Apprise, notification: Notification, channel_context: ChannelContext) -> Preview:
    made = content(notification)
    return Preview(f"{made['title']}\n\n{made['body']}", made, scheme(entry.url.get_secret_value()))


def _problems(entry: Apprise, context: EntryContext) -> Iterator[Problem]:
    wrong = problem_text(entry.url.get_secret_value())
    if wrong:
        yield context.problem(wrong, "url_file" if entry.url_file else "url")


APPRISE: Final = Channel(Apprise, _make, _preview, _problems)
