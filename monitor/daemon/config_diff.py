"""Lists the differences between two configurations, and which of them need a restart."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal

from monitor.config.monitor import Config
from monitor.config.settings import Settings
from monitor.config.yaml import YamlModel
from monitor.daemon.runtime_config import RuntimeConfig
from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import InputError, Problem

MOST_CHANGES: Final = 20
"""The most changes of a reload that the log names."""

What = Literal["added", "changed", "removed"]

log = logging.getLogger("monitor")


def check_is_possible(before: Config, after: Config) -> None:
    """Raises InputError if ``after`` needs a restart."""
    problems = list(_refusals(before, after))
    if problems:
        raise InputError(problems)


def _refusals(before: Config, after: Config) -> Iterator[Problem]:
    if before.store_location != after.store_location:
        using = before.store_location
        yield after.problem(f"a change of the store needs a restart; this daemon uses {using}", "store")
    was, now = (config.web.listen if config.web is not None else "off" for config in (before, after))
    if was != now:
        path = ("web",) if now == "off" else ("web", "listen")
        yield after.problem(f"a change of the listener needs a restart; now it is {was}", *path)


@dataclass(frozen=True, slots=True, order=True)
class ConfigChange:
    """One difference: the kind of entry (``rule``), its name, and whether it was added, changed or removed."""

    kind: str
    name: str
    what: What

    def __str__(self) -> str:
        return f"{self.kind} {self.name} {self.what}".replace("  ", " ")


def changes(before: Settings, after: Settings) -> list[ConfigChange]:
    """Returns the differences in the order of the configuration's sections, without values, because some are secret."""
    found: list[ConfigChange] = []
    old, new = before.config, after.config
    several = max(len(old.accounts), len(new.accounts)) > 1
    named: list[tuple[str, Mapping[str, object], Mapping[str, object]]] = [
        ("account", _named(old.accounts), _named(new.accounts)),
        ("search", _searches(old, several=several), _searches(new, several=several)),
        ("rule", _named(before.rules), _named(after.rules)),
        ("receiver", _named(old.receivers), _named(new.receivers)),
        ("time interval", _named(old.time_intervals), _named(new.time_intervals)),
    ]
    for kind, was, now in named:
        found += (ConfigChange(kind, name, _what(name, was, now)) for name in sorted(_differing(was, now)))
    sections = (
        "route",
        "inhibit_rules",
        "flapping",
        "watchdog",
        "report",
        "retention",
        "web",
        "privacy",
        "log",
        "reload",
    )
    found += (ConfigChange(name, "", "changed") for name in sections if getattr(old, name) != getattr(new, name))
    return found


def _named(entries: Iterable[YamlModel]) -> dict[str, object]:
    return {entry.name: entry for entry in entries}  # type: ignore[attr-defined]  # all of these have names


def _searches(config: Config, *, several: bool) -> dict[str, object]:
    return {f"{one.name} of {one.account}" if several else one.name: one for one in config.searches}


def _differing(was: Mapping[str, object], now: Mapping[str, object]) -> set[str]:
    return {name for name in was.keys() | now.keys() if was.get(name) != now.get(name)}


def _what(name: str, was: Mapping[str, object], now: Mapping[str, object]) -> What:
    return "added" if name not in was else "removed" if name not in now else "changed"


def log_changes(before: RuntimeConfig, after: RuntimeConfig) -> None:
    """Logs one line that names what a reload has changed."""
    found = [str(change) for change in changes(before.settings, after.settings)]
    found += [] if after.templates is before.templates else ["templates changed"]
    more = f" and {len(found) - MOST_CHANGES} more" if len(found) > MOST_CHANGES else ""
    log.info("reloaded: %s%s", ", ".join(found[:MOST_CHANGES]) or "nothing has changed", more)
