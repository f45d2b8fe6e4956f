"""The interface of a kind of channel: makes a notifier from an entry, previews what it would send, and finds problems in the entry."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, Final, Generic, TextIO, TypeVar

import msgspec
from pydantic import SecretStr

from monitor.config.monitor import ChannelModel, Config
from monitor.config.yaml import suggest
from monitor.model.notification import Notification
from monitor.notify.channels.protocol import Notifier
from monitor.notify.render import Templates, awkward, sample_notification, sample_view
from monitor.runtime.clock import Clock
from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import Problem

if TYPE_CHECKING:
    from monitor.notify.channels.slack.rate_limit import ChannelRateLimits

HIDDEN: Final = "***"
"""Replaces secrets in a preview."""

M = TypeVar("M", bound=ChannelModel)


def _rate_limits() -> "ChannelRateLimits":
    from monitor.notify.channels.slack.rate_limit import ChannelRateLimits

    return ChannelRateLimits()


@dataclass(frozen=True, slots=True)
class ChannelContext:
    """The arguments of notifiers besides their entry: the clock, the templates, the stream of the console, and the shared rate limits of Slack."""

    clock: Clock
    templates: Templates
    stream: TextIO
    paces: "ChannelRateLimits" = field(default_factory=_rate_limits)


@dataclass(frozen=True, slots=True)
class Preview:
    """The request that an entry would send.

    ``text`` is for people; ``data`` is the body: parsed JSON if it is JSON, otherwise text. ``address`` has no path and ``headers`` have no
    secrets.
    """

    text: str
    data: Any
    address: str = ""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EntryContext:
    """The position of an entry in the configuration, and the templates that it may name. ``files`` maps template files to their paths."""

    config: Config
    path: tuple[str | int, ...]
    templates: Templates
    files: Mapping[str, str]

    def problem(self, message: str, *below: str | int) -> Problem:
        """Returns a problem of the entry, or of a value below it."""
        return self.config.problem(message, *self.path, *below)

    def no_template(self, name: str) -> Problem:
        """Returns the problem that no template has this name."""
        near = suggest(name, self.templates.known)
        return self.problem(f"there is no template file named {name!r} under templates{near}", "template")


def _no_problems(entry: Any, context: EntryContext) -> Iterable[Problem]:
    return ()


@dataclass(frozen=True, slots=True)
class Channel(Generic[M]):
    """One kind of channel.

    ``make`` raises TemplateProblem; ``preview`` sends nothing and shows no secret; ``problems`` finds what only the channel can know about its
    entries.
    """

    model: type[M]
    make: Callable[[M, ChannelContext], Notifier]
    preview: Callable[[M, Notification, ChannelContext], Preview]
    problems: Callable[[M, EntryContext], Iterable[Problem]] = _no_problems


def samples() -> Iterator[Notification]:
    """Yields notifications to try templates with: a firing and a resolved alert, each with usual and with awkward values."""
    firing = sample_view("SampleRate", "rate", ("operator", "country"))
    over = msgspec.structs.replace(firing, status="resolved", ends_at=firing.as_of, resolved_because="recovered")
    for view in (firing, over, awkward(firing), awkward(over)):
        yield sample_notification([view])


def secret_text(secret: SecretStr | None) -> str:
    """Returns the value of a secret; empty if it is None."""
    return "" if secret is None else secret.get_secret_value()


def secret_texts(secrets: Mapping[str, SecretStr] | None) -> dict[str, str]:
    """Returns the values of named secrets."""
    return {name: secret.get_secret_value() for name, secret in (secrets or {}).items()}
