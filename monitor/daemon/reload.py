"""Taking up what is written now, without a restart: who asks for it, what is read, what it may not change, and what it changed."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import trio

from monitor.config.monitor import Config
from monitor.config.settings import Settings
from monitor.config.watched_files import files_of, stamp
from monitor.config.yaml import YamlModel
from monitor.daemon.loading import SettingsWithTemplates, load
from monitor.runtime.errors import InputError, Problem

LOOK_EVERY: Final = 3.0
"""Seconds between two looks at the files. They are taken up once two looks in a row have found the same, so that no half-written file is."""

What = Literal["added", "changed", "removed"]


@dataclass(slots=True)
class Reloads:
    """Where a daemon's configuration comes from, and who asks for it to be read again. `ask` may be called at any time: what is asked for
    while nobody listens, or while a reload is under way, is done afterwards, once.

    ``taken_up`` is told of each configuration that the daemon goes on with: for what is set outside of it, such as the log.
    """

    path: Path
    environ: Mapping[str, str]
    taken_up: Callable[[Config], None] = lambda config: None
    look_every: float = LOOK_EVERY
    _wish: trio.Event = field(default_factory=trio.Event)

    def ask(self) -> None:
        """Read everything again."""
        self._wish.set()

    async def asked(self) -> None:
        """Until somebody asks, or has asked since this was last waited for."""
        await self._wish.wait()
        self._wish = trio.Event()

    def read(self) -> SettingsWithTemplates:
        """What is written now. Blocking. Raises InputError with every problem of every file."""
        return load(self.path, self.environ)

    async def watch(self, present: Callable[[], Config]) -> None:
        """Ask whenever a file has changed that the ``present`` configuration comes from, for as long as that wishes it so."""
        known = taken = await self._stamp(present())
        while True:
            await trio.sleep(self.look_every)
            config = present()
            if not config.reload.watch:
                taken = known = None
                continue
            found = await self._stamp(config)
            taken = found if taken is None else taken
            if found == known != taken:
                taken = found
                self.ask()
            known = found

    async def _stamp(self, config: Config) -> object:
        files = files_of(self.path, config, self.environ)
        return await trio.to_thread.run_sync(stamp, files, abandon_on_cancel=True)


def check_is_possible(before: Config, after: Config) -> None:
    """Raises InputError where ``after`` asks for something that only a restart can bring about."""
    problems = list(_refusals(before, after))
    if problems:
        raise InputError(problems)


def _refusals(before: Config, after: Config) -> Iterator[Problem]:
    if before.store_path != after.store_path:
        yield after.problem(f"a change of the store needs a restart; this daemon uses {before.store_path}", "store")
    was, now = (config.web.listen if config.web is not None else "off" for config in (before, after))
    if was != now:
        path = ("web",) if now == "off" else ("web", "listen")
        yield after.problem(f"a change of the listener needs a restart; now it is {was}", *path)


@dataclass(frozen=True, slots=True, order=True)
class ConfigChange:
    """One thing that is written otherwise: of which kind (``rule``), its name, and what became of it."""

    kind: str
    name: str
    what: What

    def __str__(self) -> str:
        return f"{self.kind} {self.name} {self.what}".replace("  ", " ")


def changes(before: Settings, after: Settings) -> list[ConfigChange]:
    """What differs, in the order of the configuration's sections; values are not shown, some of them are secret."""
    found: list[ConfigChange] = []
    old, new = before.config, after.config
    named: list[tuple[str, Mapping[str, object], Mapping[str, object]]] = [
        ("account", _named(old.accounts), _named(new.accounts)),
        ("search", _searches(old), _searches(new)),
        ("rule", _named(before.rules), _named(after.rules)),
        ("receiver", _named(old.receivers), _named(new.receivers)),
        ("time interval", _named(old.time_intervals), _named(new.time_intervals)),
    ]
    for kind, was, now in named:
        found += (ConfigChange(kind, name, _what(name, was, now)) for name in sorted(_differing(was, now)))
    sections = ("route", "inhibit_rules", "flapping", "watchdog", "retention", "web", "privacy", "log", "reload")
    found += (ConfigChange(name, "", "changed") for name in sections if getattr(old, name) != getattr(new, name))
    return found


def _named(entries: Iterable[YamlModel]) -> dict[str, object]:
    return {entry.name: entry for entry in entries}  # type: ignore[attr-defined]  # all of these have names


def _searches(config: Config) -> dict[str, object]:
    several = len(config.accounts) > 1
    return {f"{one.name} of {one.account}" if several else one.name: one for one in config.searches}


def _differing(was: Mapping[str, object], now: Mapping[str, object]) -> set[str]:
    return {name for name in was.keys() | now.keys() if was.get(name) != now.get(name)}


def _what(name: str, was: Mapping[str, object], now: Mapping[str, object]) -> What:
    return "added" if name not in was else "removed" if name not in now else "changed"
