"""The models of the daemon's sections: listener, watchdog, report, flapping, privacy, reload, log."""

import re
import socket
from collections.abc import Iterable
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from monitor.config.monitor.interval import Weekdays, minute_of_day
from monitor.config.monitor.tls import Tls
from monitor.config.yaml import (
    FieldProblem,
    Flag,
    Name,
    Period,
    Secret,
    Text,
    Url,
    WholeNumber,
    YamlModel,
    Zone,
    is_loopback,
)
from monitor.config.yaml.unread_secret import why_unread
from monitor.routing.flapping import FlappingPolicy as Policy
from monitor.routing.wall_clock import DailyTime
from monitor.runtime.clock import DAY, HOUR, MINUTE, Duration
from monitor.runtime.environment_values import beginning

SHORTEST_TOKEN: Final = 16
"""The fewest characters of a token if other machines can reach the listener."""


def _listen(value: str) -> str:
    host, colon, port = value.rpartition(":")
    bare = ":" not in host or (host.startswith("[") and host.endswith("]"))
    if not colon or not bare or not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65535):
        raise ValueError("should be an address like 127.0.0.1:9465 or [::1]:9465")
    return value


def _host_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?", value) or len(value) > 253:
        raise ValueError(
            f"{beginning(value, 100)} is not a host's name: write it without scheme and port, like monitor.example.org"
        )
    return value.lower()


HostName = Annotated[Text, AfterValidator(_host_name)]


class Web(YamlModel):
    """The listener for health checks, metrics, the page and the APIs."""

    secrets = ("token",)

    listen: Annotated[Text, AfterValidator(_listen)] = "127.0.0.1:9465"
    """Host and port; port 0 takes a free one."""
    external_url: Url | None = None
    """How people reach it, for links in messages."""
    allowed_hosts: tuple[HostName, ...] = ()
    """Further names by which it may be reached, beside that of external_url; no other name is answered without the token."""
    token: Secret | None = None
    """The token that changes must carry as Authorization: Bearer."""
    token_file: Text | None = None
    """A file that holds the token."""
    protect_reads: Flag = False
    """true: reading needs the token too."""
    tls: Tls | None = None
    """The certificate with which it speaks HTTPS; left out: HTTP."""

    @property
    def scheme(self) -> str:
        """Returns ``https`` or ``http``."""
        return "http" if self.tls is None else "https"

    @property
    def host(self) -> str:
        """Returns the host on which it listens; empty for every interface."""
        return self.listen.rpartition(":")[0].strip("[]").replace("*", "")

    @property
    def port(self) -> int:
        """Returns the port; 0 for any free one."""
        return int(self.listen.rpartition(":")[2])

    @property
    def own_url(self) -> str:
        """Returns where other machines reach this very process; empty if they cannot, or if it is not known."""
        if not self.port or (self.host and is_loopback(self.host)):
            return ""
        host = socket.gethostname() if self.host in ("", "0.0.0.0", "::") else self.host  # noqa: S104 - compared
        return f"{self.scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"

    def names(self, external_url: str) -> tuple[str, ...]:
        """Returns the names by which it may be reached, ``external_url``'s and the one that other daemons lead to included; some may be empty."""
        return (self.host, *(urlsplit(url).hostname or "" for url in (external_url, self.own_url)), *self.allowed_hosts)

    def check_values(self) -> Iterable[FieldProblem]:
        if self.token is None and not is_loopback(self.host):
            yield FieldProblem(
                ("listen",), "other machines can reach this address, so a token is needed: write token or token_file"
            )
        if (
            self.token is not None
            and not why_unread(self.token)
            and not is_loopback(self.host)
            and len(self.token.get_secret_value()) < SHORTEST_TOKEN
        ):
            yield FieldProblem(
                ("token",),
                f"other machines can reach {self.listen}, and this token is too short: write one of at least {SHORTEST_TOKEN} characters "
                "(openssl rand -hex 16 makes one)",
            )
        if self.token is None and self.protect_reads:
            yield FieldProblem(("protect_reads",), "needs a token: write token or token_file")


class Watchdog(YamlModel):
    """A dead-man's switch: an alert that always fires. If its notifications stop, the monitor does not work any more."""

    receiver: Name
    """Who is notified."""
    every: Period = 5 * MINUTE
    """How often."""


def _time_of_day(text: str) -> str:
    if minute_of_day(text) == minute_of_day("24:00"):
        raise ValueError("24:00 is the end of a day; write 00:00 for its beginning")
    return text


def _kept(span: Duration) -> Duration:
    if span > 30 * DAY:
        raise ValueError("is longer than the 30d for which alerts are kept; write 30d or less")
    return span


class ScheduledReport(YamlModel):
    """The morning report: what was delivered, spent and told, sent to one receiver."""

    receiver: Name
    """Who gets it."""
    at: Annotated[Text, AfterValidator(_time_of_day)] = "08:00"
    """The time of day."""
    weekdays: Annotated[tuple[Weekdays, ...], Field(min_length=1)] = ()
    """On which days of the week: monday, monday:friday; left out: every day."""
    time_zone: Zone = "UTC"
    """The time zone whose clock counts: Europe/Athens."""
    since: Annotated[Period, AfterValidator(_kept)] | None = None
    """How far it looks back; left out: to the time of the report before it."""

    @property
    def times(self) -> DailyTime:
        """Returns when it is due."""
        return DailyTime(minute_of_day(self.at), self.weekdays, self.time_zone)


class Flapping(YamlModel):
    """When an alert that begins and ends repeatedly counts as flapping. Its changes are then not notified for a while."""

    begins: Annotated[WholeNumber, Field(ge=2, le=1000)] = 4
    """The number of beginnings that count as flapping …"""
    within: Annotated[Period, Field(le=DAY)] = HOUR
    """… if they come within so long."""
    calm_for: Annotated[Period, Field(le=DAY)] = 15 * MINUTE
    """After this time without firing, at the latest, its resolve is notified."""

    @property
    def policy(self) -> Policy:
        """Returns the thresholds of flapping."""
        return Policy(self.begins, self.within, self.calm_for)


class Privacy(YamlModel):
    """What is kept of the people who get messages."""

    recipients: Literal["mask", "hash", "show"] = "mask"
    """mask: +30691•••••78; hash: nothing is shown; show: numbers in full."""
    bodies: Literal["drop", "keep"] = "drop"
    """drop: what messages say is never stored."""

    def check_values(self) -> Iterable[FieldProblem]:
        if self.bodies == "keep":
            yield FieldProblem(("bodies",), "keep is not supported in this version of routee-monitor; take it out")


class Reload(YamlModel):
    """When the daemon takes up changed files; SIGHUP always makes it do so."""

    watch: Flag = False
    """true: also a few seconds after the configuration, or a file that it names, has changed."""


class Log(YamlModel):
    """What is logged and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """From which severity on."""
    format: Literal["auto", "journal", "text", "json"] = "auto"
    """auto: journal fields under systemd, text with colours on a terminal, else JSON."""
