"""Receivers: makes the notifiers of a configuration, checks their templates, previews what they would send, and sends tests."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TextIO

from monitor.config.monitor import ChannelModel, Config, Receiver
from monitor.model.notification import Notification
from monitor.notify.channels import (
    ChannelContext,
    EntryContext,
    Notifier,
    Preview,
    Sent,
    make_notifier,
    preview,
    problems,
)
from monitor.notify.channels.protocol import checked
from monitor.notify.render import Templates
from monitor.runtime.clock import Clock
from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import Problem, SecretUnreadable

__all__ = ["Notifiers", "Preview", "checked", "entry_problems", "notifiers", "previews", "send_firing_and_resolved"]


def notifiers(config: Config, templates: Templates, clock: Clock, stream: TextIO) -> dict[tuple[str, str], Notifier]:
    """Returns a notifier for every channel of every receiver, by both names (``ops``, ``slack/0``); consoles write to ``stream``."""
    channel_context = ChannelContext(clock, templates, stream)
    return {
        (receiver.name, channel): make_notifier(entry.kind, entry, channel_context)
        for receiver in config.receivers
        for channel, entry in receiver.channels
    }


@dataclass(frozen=True, slots=True)
class Notifiers:
    """The notifiers that get single notifications. Alertmanagers are not among them (`monitor.daemon.alertmanager_tasks`)."""

    channel_context: ChannelContext
    entries: Mapping[tuple[str, str], ChannelModel]
    by_channel: Mapping[tuple[str, str], Notifier]

    @classmethod
    def of(cls, config: Config, channel_context: ChannelContext, before: "Notifiers | None" = None) -> "Notifiers":
        """Returns the notifiers of a configuration; reuses those of ``before`` whose entry is unchanged, unless templates have changed."""
        entries = {
            (receiver.name, channel): entry
            for receiver in config.receivers
            for channel, entry in receiver.channels
            if channel in receiver.notified_channels
        }
        kept = before if before is not None and before.channel_context.templates is channel_context.templates else None
        by_channel = {
            (receiver, channel): kept.by_channel[receiver, channel]
            if kept is not None and kept.entries.get((receiver, channel)) == entry
            else make_notifier(entry.kind, entry, channel_context)
            for (receiver, channel), entry in entries.items()
        }
        return cls(channel_context, entries, by_channel)


def previews(receiver: Receiver, notification: Notification, templates: Templates, clock: Clock) -> dict[str, Preview]:
    """Returns what each channel of ``receiver`` would send, by the channel's name. Sends nothing."""
    channel_context = ChannelContext(clock, templates, sys.stdout)
    return {channel: preview(entry, notification, channel_context) for channel, entry in receiver.channels}


async def send_firing_and_resolved(notifier: Notifier, firing: Notification, over: Notification) -> str:
    """Sends an alert and then its end to one channel; returns what it did not accept and why, empty if it accepted both."""
    outcome = await notifier.send(firing, None)
    if not isinstance(outcome, Sent):
        return outcome.why
    outcome = await notifier.send(over, outcome.receipt)
    return (
        "" if isinstance(outcome, Sent) else f"it accepted the alert, but not its resolved notification: {outcome.why}"
    )


def entry_problems(config: Config, templates: Templates, files: Mapping[str, str]) -> Iterator[Problem]:
    """Yields the problems of templates that receivers name or contain, and of addresses that only a notifier understands.

    ``files`` maps the names of template files to their paths.
    """
    for number, receiver in enumerate(config.receivers):
        for channel, entry in receiver.channels:
            kind, _, index = channel.partition("/")
            path = ("receivers", number, kind, int(index))
            # Where a secret is unknown, what it is part of cannot be checked; nobody is notified by this process either.
            with suppress(SecretUnreadable):
                yield from problems(entry, EntryContext(config, path, templates, files))
