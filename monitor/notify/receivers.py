"""Receivers put to use: the notifiers of a configuration, whether their templates are right, what they would send, sending by hand."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

import msgspec

from monitor.config.monitor import Apprise, Config, Receiver, Slack, Webhook
from monitor.config.monitor.headers import complaint as fields_complaint
from monitor.config.monitor.services import service_of
from monitor.config.yaml import suggest
from monitor.model.notification import Notification
from monitor.notify.channels import ChannelContext, Notifier, Sent, make_notifier, opened
from monitor.notify.channels.protocol import checked as checked
from monitor.notify.channels.webhook import JSON
from monitor.notify.render import (
    TemplateProblem,
    Templates,
    awkward,
    notification_context,
    sample_notification,
    sample_view,
)
from monitor.runtime.clock import Clock
from monitor.runtime.errors import Problem

if TYPE_CHECKING:
    from monitor.notify.channels.preview import (  # commands show it, and know receivers by this module only
        Preview as Preview,
    )

Place = tuple[str | int, ...]


def notifiers(config: Config, templates: Templates, clock: Clock, stream: TextIO) -> dict[tuple[str, str], Notifier]:
    """A notifier for every channel of every receiver, by both names (``ops``, ``slack/0``); ``stream`` is where consoles write."""
    around = ChannelContext(clock, templates, stream)
    return {
        (receiver.name, channel): make_notifier(channel.partition("/")[0], entry, around)
        for receiver in config.receivers
        for channel, entry in receiver.channels
    }


@dataclass(frozen=True, slots=True)
class Notifiers:
    """The notifiers that get notifications one by one: Alertmanagers are told the state (`monitor.daemon.alertmanager_tasks`)."""

    around: ChannelContext
    entries: Mapping[tuple[str, str], object]
    notifiers: Mapping[tuple[str, str], Notifier]

    @classmethod
    def of(cls, config: Config, around: ChannelContext, before: "Notifiers | None" = None) -> "Notifiers":
        """Those of a configuration; an entry that is written as ``before`` keeps its notifier, unless templates have changed."""
        entries = {
            (receiver.name, channel): entry
            for receiver in config.receivers
            for channel, entry in receiver.channels
            if channel in receiver.notified
        }
        kept = before if before is not None and before.around.templates is around.templates else None
        notifiers = {
            (receiver, channel): kept.notifiers[receiver, channel]
            if kept is not None and kept.entries.get((receiver, channel)) == entry
            else make_notifier(channel.partition("/")[0], entry, around)
            for (receiver, channel), entry in entries.items()
        }
        return cls(around, entries, notifiers)


def socket_apps(config: Config) -> list[tuple[str, str]]:
    """The Slack apps whose buttons are pressed: app-level token and API address, each once. Each wants one `slack_socket.listen`."""
    entries = [entry for receiver in config.receivers for entry in receiver.slack]
    apps = [(entry.app_token.get_secret_value(), entry.api_url) for entry in entries if entry.app_token is not None]
    return list(dict.fromkeys(apps))


def previews(
    receiver: Receiver, notification: Notification, templates: Templates, clock: Clock
) -> "dict[str, Preview]":
    """What each channel of ``receiver`` would be told, by the channel's name. Nothing is sent."""
    from monitor.notify.channels.preview import preview

    around = ChannelContext(clock, templates, sys.stdout)
    return {
        channel: preview(channel.partition("/")[0], entry, notification, around) for channel, entry in receiver.channels
    }


async def told_and_resolved(notifier: Notifier, firing: Notification, over: Notification) -> str:
    """Tell one channel of an alert and then of its end; what it did not take and why, empty where it took both."""
    outcome = await notifier.send(firing, None)
    if not isinstance(outcome, Sent):
        return outcome.why
    outcome = await notifier.send(over, outcome.receipt)
    return (
        "" if isinstance(outcome, Sent) else f"it accepted the alert, but not its resolved notification: {outcome.why}"
    )


def template_problems(config: Config, templates: Templates, files: Mapping[str, str]) -> Iterator[Problem]:
    """What is wrong with the templates that receivers name or hold, and with addresses that only a notifier understands.

    ``files`` maps the names of template files to their paths.
    """
    for number, receiver in enumerate(config.receivers):
        for channel, entry in receiver.channels:
            kind, _, index = channel.partition("/")
            place = ("receivers", number, kind, int(index), "template")
            if isinstance(entry, Webhook) and entry.template is not None:
                yield from _of_webhook(entry, entry.template, config, templates, files, place)
            elif isinstance(entry, Slack) and entry.template is not None:
                yield from _of_slack(entry.template, config, templates, files, place)
            elif isinstance(entry, Apprise):
                yield from _of_apprise(entry, config, place[:-1])


def _of_webhook(
    entry: Webhook, name: str, config: Config, templates: Templates, files: Mapping[str, str], place: Place
) -> Iterator[Problem]:
    full = templates.find(name)
    if full is None:
        yield config.problem(_no_template(name, templates), *place)
    elif full not in templates.names:
        for complaint in _unmet(entry, full):
            yield config.problem(f"the template {complaint}", *place)
    else:
        yield from _of_file(entry, full, templates, files[full])


def _unmet(entry: Webhook, full: str) -> Iterator[str]:
    """What a template that comes with the program needs of its entry and does not get."""
    service = service_of(full)
    if service is None:
        return
    wrong = fields_complaint(set(entry.fields or ()), service.fields, (*service.fields, *service.optional))
    if wrong:
        yield f"{service.name} {wrong}"
    written = {name.lower() for name in entry.headers or ()}
    for name, value in service.headers:
        if name.lower() not in written:
            yield f"{service.name} needs the header {name}: write headers: {{{name}: {value}}}, or headers_file"


def _of_file(entry: Webhook, full: str, templates: Templates, file: str) -> Iterator[Problem]:
    """Tried with samples, and with the entry's fields, whose values stay hidden."""
    for sample in _samples():
        try:
            templates.body(full, entry.content_type or JSON, sample, opened(entry.fields))
        except TemplateProblem as problem:
            yield Problem(file, problem.line, 1, "", problem.message)
            return


def _of_apprise(entry: Apprise, config: Config, place: Place) -> Iterator[Problem]:
    from monitor.notify.channels.apprise import complaint

    wrong = complaint(entry.url.get_secret_value())
    if wrong:
        yield config.problem(wrong, *place, "url_file" if entry.url_file else "url")


def _of_slack(
    text: str, config: Config, templates: Templates, files: Mapping[str, str], place: Place
) -> Iterator[Problem]:
    if text.endswith(".j2") and text not in templates.names:
        yield config.problem(_no_template(text, templates), *place)
        return
    try:
        named = text in templates.names
        template = templates.named(text, "slack") if named else templates.compile(text, form="slack")
        for sample in _samples():
            template.render(notification_context(sample))
    except TemplateProblem as problem:
        if text in templates.names:
            yield Problem(files[text], problem.line, 1, "", problem.message)
        else:
            line = f"line {problem.line}: " if "\n" in text.strip() else ""
            yield config.problem(f"{line}{problem.message}", *place)


def _no_template(name: str, templates: Templates) -> str:
    return f"there is no template file named {name!r} under templates{suggest(name, templates.known)}"


def _samples() -> Iterator[Notification]:
    """What a template has to cope with: an alert that fires, and one that is over; and both with awkward values."""
    firing = sample_view("SampleRate", "rate", ("operator", "country"))
    over = msgspec.structs.replace(firing, status="resolved", ends_at=firing.as_of, resolved_because="recovered")
    for view in (firing, over, awkward(firing), awkward(over)):
        yield sample_notification([view])
