"""The warnings of `check`: what is valid, but probably does not have the intended effect."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.config.monitor import Apprise, Config
    from monitor.config.monitor.channels import ChannelModel
    from monitor.config.rules import Rule
    from monitor.daemon.validate import SettingsWithTemplates
    from monitor.routing.silences import Silence


FEWEST_EXPECTED: Final = 5
"""Of fewer messages that are expected none comes by chance in more than one time in 150."""
MOST_EXPECTED: Final = 1_000
"""Nobody needs to miss so many messages to see a silence."""
SHOWN_ANNOTATIONS: Final = ("summary", "description", "runbook_url")
"""The annotations that notifications have a place for; templates may use others."""
LEAST_CHANGE: Final = 1.2
"""A smaller factor of the odds takes some hundred failures more than usual to see."""


def warnings_of(loaded: "SettingsWithTemplates") -> Iterator[str]:
    """Yields a sentence for each thing in the files or the stored silences that probably does not have the intended effect."""
    from monitor.config.rules.model import LONGEST_WINDOW
    from monitor.runtime.clock import format_duration
    from monitor.store.open import missing_for

    config, rules = loaded.settings.config, loaded.settings.rules
    if not rules:
        yield "there are no rules, so nothing but the monitor's own alerts can fire (see `rules` in README.md)"
    if why := missing_for(config.store_location):
        yield f"{why}: the daemon does not start until it is there"
    yield from _in_clear_text(config)
    yield from _doubtful_routing(config)
    yield from _doubtful_report(config)
    yield from _without_effect(loaded)
    yield from _misspelt_families(rules)
    for rule in rules:
        yield from _odd(rule)
        for search in config.searches:
            if rule.search not in (None, search.name):
                continue
            farthest = max((sweep.back for sweep in search.resweep), default=0)
            if min(rule.reach, LONGEST_WINDOW) > farthest:  # Routee returns nothing older
                yield (
                    f"rule {rule.name} looks {format_duration(rule.reach)} back, but search {search.name} sees later changes of "
                    f"status only {format_duration(farthest)} back (resweep)"
                )


def exposed_secrets(loaded: "SettingsWithTemplates", config_file: "Path") -> Iterator[str]:
    """Yields a sentence for each secret file of the configuration at ``config_file`` that all users of this machine can read; `run` logs them."""
    from monitor.cli.options import environment
    from monitor.config.monitor.exposed_secrets import exposed_files

    for path in exposed_files(loaded.settings.config, config_file.parent, environment()):
        yield f"every user of this machine can read the secret in {path}: chmod 600 {path}, owned by the user that the daemon runs as"


def ending_certificate(loaded: "SettingsWithTemplates") -> Iterator[str]:
    """Yields a sentence if the listener's certificate does not hold now, or ends soon; the daemon logs it."""
    from monitor.runtime.clock import SECOND, SystemClock

    web = loaded.settings.config.web
    if web is not None and web.tls is not None and (why := web.tls.certificate.warning(SystemClock().now() / SECOND)):
        yield f"web.tls.cert_file: {why}"


def _without_effect(loaded: "SettingsWithTemplates") -> Iterator[str]:
    """Yields the matchers that no alert of these rules can meet."""
    from monitor.config.possible_labels import (
        PossibleAlerts,
        idle_groupings,
        idle_inhibitions,
        idle_routes,
        unknown_severities,
    )

    config, rules = loaded.settings.config, loaded.settings.rules
    root, alerts = config.route_tree(), PossibleAlerts.of(config, rules)
    yield from idle_routes(root, alerts)
    yield from idle_groupings(root, alerts)
    yield from idle_inhibitions(config, alerts)
    yield from unknown_severities(root, rules)
    for silence in _stored_silences(config):
        if why := alerts.why_none(silence.matchers):
            yield f"the silence {silence.id} hides nothing: {why}"


def _stored_silences(config: "Config") -> Iterator["Silence"]:
    """Yields the stored silences that are not over; none if no readable store exists, because other commands report that."""
    from monitor.runtime.clock import SystemClock
    from monitor.runtime.errors import StoreError
    from monitor.store.open import open_store

    now = SystemClock().now()
    try:
        with open_store(config.store_location, read_only=True) as store:
            yield from (silence for silence in store.load_readable().silences if silence.ends_at > now)
    except StoreError:
        return


def _in_clear_text(config: "Config") -> Iterator[str]:
    """Yields the addresses of Routee, and of receivers that a secret is sent to, on other machines that are reached without TLS."""
    from monitor.config.monitor import Apprise
    from monitor.config.yaml import clear_host

    sent = {"api_url": "the access token and all messages", "auth_url": "the application's id and secret"}
    for account in config.accounts:
        for key, what in sent.items():
            if host := clear_host(getattr(account, key)):
                yield f"account {account.name}: {key} is http://: {what} go unencrypted to {host}; write https://"
    for receiver in config.receivers:
        for channel, entry in receiver.channels:
            for key, url in _addresses(entry):
                if host := clear_host(url):
                    what = f"receiver {receiver.name}: {key} of {channel} is http://"
                    yield f"{what}: its secret and all notifications go unencrypted to {host}; write https://"
            if isinstance(entry, Apprise):
                yield from (f"receiver {receiver.name}: url of {channel} {why}" for why in _open_service(entry))


def _open_service(entry: "Apprise") -> Iterator[str]:
    """Yields how a service is reached whose address has no TLS and could have it; nothing if it could not be read."""
    from monitor.config.yaml.unread_secret import why_unread
    from monitor.notify.channels.apprise.service import encrypted_scheme, scheme

    url = "" if why_unread(entry.url) else entry.url.get_secret_value()
    if meant := encrypted_scheme(url):
        yield f"is {scheme(url)}: what it holds and all notifications go unencrypted; write {meant} if the server can"


def _addresses(entry: "ChannelModel") -> Iterator[tuple[str, str]]:
    """Yields the keys of a channel that hold addresses, with each address; none if it has no secret, or it could not be read."""
    from pydantic import SecretStr

    from monitor.config.yaml.unread_secret import why_unread

    if not any(getattr(entry, key) for key in entry.secrets if not why_unread(getattr(entry, key))):
        return
    for key in type(entry).model_fields:
        if "url" not in key or key.endswith("_file"):  # of another one a secret may look like an address
            continue
        value = getattr(entry, key)
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, SecretStr) and not why_unread(one):
                yield key, one.get_secret_value()
            elif isinstance(one, str):
                yield key, one


def _doubtful_routing(config: "Config") -> Iterator[str]:
    from monitor.config.monitor import doubts, every_route, reachable_receivers

    root = config.route_tree()
    sections = [section for section in (config.watchdog, config.report) if section is not None]
    reachable = reachable_receivers(root) | {section.receiver for section in sections}
    for receiver in config.receivers:
        if receiver.name not in reachable:
            yield f"no route leads to the receiver {receiver.name!r}"
        elif not receiver.channels:
            yield f"the receiver {receiver.name!r} has no channel, so its notifications reach nobody"
    used = {interval.name for route in every_route(root) for interval in (*route.mute, *route.active)}
    for interval in config.time_intervals:
        if interval.name not in used:
            yield f"no route refers to the time interval {interval.name!r}"
    yield from doubts(root)


def _doubtful_report(config: "Config") -> Iterator[str]:
    """Yields which channels of the report's receiver show no report, or keep it open for ever."""
    from monitor.config.monitor import Webhook

    name = "" if config.report is None else config.report.receiver
    receiver = next((one for one in config.receivers if one.name == name), None)
    for channel, entry in () if receiver is None else receiver.channels:
        if entry.takes_state:
            yield f"report: {channel} of receiver {name} knows alerts only, and gets no report"
        elif isinstance(entry, Webhook) and entry.template is not None and entry.keeps_alerts:
            yield (
                f"report: what is behind {channel} of receiver {name} (template {entry.template}) may keep the report open as an alert, since "
                "it never resolves; name a receiver that people read"
            )


def _misspelt_families(rules: "Sequence[Rule]") -> Iterator[str]:
    """Yields the families of incidents that a single rule has, and whose name is nearly that of a usual one."""
    from collections import Counter

    from monitor.config.rules.incident import IncidentGrouping
    from monitor.config.yaml import nearest

    counts = Counter(rule.incident.name for rule in rules if rule.incident is not None)
    usual = {IncidentGrouping().name, *(name for name, count in counts.items() if count > 1)}
    for rule in rules:
        if rule.incident is None or rule.incident.name in usual:
            continue
        if meant := nearest(rule.incident.name, usual, cutoff=0.85):
            yield f"rule {rule.name}: no other rule has incidents named {rule.incident.name!r}; did you mean {meant!r}?"


def _odd(rule: "Rule") -> Iterator[str]:
    """Yields what is probably not intended in one rule."""
    from monitor.config.yaml import near_miss
    from monitor.routing.route import RANKS
    from monitor.runtime.clock import format_duration

    known = [level.severity for level in rule.levels_ if level.severity in RANKS]
    if known != sorted(known, key=RANKS.__getitem__):
        yield f"rule {rule.name}: the severity gets milder as the value gets worse: {' then '.join(known)}"
    if rule.every is not None and rule.alert_window is not None and rule.every > rule.alert_window:
        every, window = format_duration(rule.every), format_duration(rule.alert_window)
        yield f"rule {rule.name} is evaluated every {every} and looks {window} back: it never sees the messages in between"
    for name in rule.annotations:
        if meant := near_miss(name, SHOWN_ANNOTATIONS):
            yield f"rule {rule.name}: no message shows the annotation {name!r}; did you mean {meant!r}?"
    yield from (f"rule {rule.name}: {why}" for why in _odd_numbers(rule))


def _odd_numbers(rule: "Rule") -> Iterator[str]:
    """Yields which numbers of a rule are allowed and of no use."""
    from math import exp

    from monitor.config.rules.absence import Absence
    from monitor.config.rules.shift import Shift
    from monitor.model.format import number, percent
    from monitor.runtime.clock import format_duration

    if isinstance(rule, Absence) and rule.expected is not None:
        count = rule.expected
        if count < FEWEST_EXPECTED:
            verb = "is" if count == 1 else "are"
            times = f"{percent(exp(-count), 0)} of the times in which {count} {verb} expected"
            yield f"expected: {count} is too few: by chance none comes in {times}; 14 is usual"
        if count > MOST_EXPECTED:
            within = format_duration(rule.window)
            yield f"expected: {number(count)} within {within} has no effect in groups with less traffic than that; 14 is usual"
    if isinstance(rule, Shift) and rule.to < LEAST_CHANGE:
        yield f"to: {rule.to:g}x is so small a change that it takes very long to find; 3x is usual"
