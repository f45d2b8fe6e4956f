"""The warnings of `check`: what is valid, but probably does not have the intended effect."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.config.monitor import Config
    from monitor.config.rules import Rule
    from monitor.daemon.validate import SettingsWithTemplates
    from monitor.routing.silences import Silence


def warnings_of(loaded: "SettingsWithTemplates") -> Iterator[str]:
    """Yields a sentence for each thing in the files or the stored silences that probably does not have the intended effect."""
    from monitor.config.rules.model import LONGEST_WINDOW
    from monitor.runtime.clock import format_duration

    config, rules = loaded.settings.config, loaded.settings.rules
    if not rules:
        yield "there are no rules, so nothing but the monitor's own alerts can fire (see `rules` in README.md)"
    if not config.store_path.parent.is_dir():
        yield f"there is no folder {config.store_path.parent} for the store: the daemon does not start until it exists"
    yield from _doubtful_routing(config)
    yield from _without_effect(loaded)
    for rule in rules:
        yield from _odd(rule)
        for search in config.searches:
            if rule.search not in (None, search.name):
                continue
            farthest = max((sweep.back for sweep in search.resweep), default=0)
            if min(rule.reach, LONGEST_WINDOW) > farthest:  # Routee gives nothing back from before that
                yield (
                    f"rule {rule.name} looks {format_duration(rule.reach)} back, but search {search.name} sees later changes of "
                    f"status only {format_duration(farthest)} back (resweep)"
                )


def exposed_secrets(loaded: "SettingsWithTemplates", place: "Path") -> Iterator[str]:
    """Yields a sentence for each secret file of the configuration at ``place`` that all users of this machine can read; `run` logs them."""
    from monitor.cli.options import environment
    from monitor.config.monitor.exposed_secrets import exposed_files

    for path in exposed_files(loaded.settings.config, place.parent, environment()):
        yield f"every user of this machine can read the secret in {path}: chmod 600 {path}, owned by the user that the daemon runs as"


def _without_effect(loaded: "SettingsWithTemplates") -> Iterator[str]:
    """Yields the matchers that no alert of these rules can meet."""
    from monitor.config.possible_labels import PossibleAlerts, idle_inhibitions, idle_routes, unknown_severities

    config, rules = loaded.settings.config, loaded.settings.rules
    root, alerts = config.route_tree(), PossibleAlerts.of(config, rules)
    yield from idle_routes(root, alerts)
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
        with open_store(config.store_path, read_only=True) as store:
            yield from (silence for silence in store.load().silences if silence.ends_at > now)
    except StoreError:
        return


def _doubtful_routing(config: "Config") -> Iterator[str]:
    from monitor.config.monitor import doubts, every_route, receivers_told

    root = config.route_tree()
    told = receivers_told(root) | ({config.watchdog.receiver} if config.watchdog is not None else set())
    for receiver in config.receivers:
        if receiver.name not in told:
            yield f"no route leads to the receiver {receiver.name!r}"
        elif not receiver.channels:
            yield f"the receiver {receiver.name!r} has no channel, so its notifications reach nobody"
    used = {interval.name for route in every_route(root) for interval in (*route.mute, *route.active)}
    for interval in config.time_intervals:
        if interval.name not in used:
            yield f"no route refers to the time interval {interval.name!r}"
    yield from doubts(root)


def _odd(rule: "Rule") -> Iterator[str]:
    """Yields what is probably not intended in one rule."""
    from monitor.routing.route import RANKS
    from monitor.runtime.clock import format_duration

    known = [level.severity for level in rule.levels_ if level.severity in RANKS]
    if known != sorted(known, key=RANKS.__getitem__):
        yield f"rule {rule.name}: the severity gets milder as the value gets worse: {' then '.join(known)}"
    if rule.every is not None and rule.alert_window is not None and rule.every > rule.alert_window:
        every, window = format_duration(rule.every), format_duration(rule.alert_window)
        yield f"rule {rule.name} is judged every {every} and looks {window} back: it never sees the messages in between"
