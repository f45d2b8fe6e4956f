"""The model of the whole configuration file."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import Field, PrivateAttr, ValidationError, ValidationInfo, field_validator

from monitor.config.monitor.account import Account, Search
from monitor.config.monitor.globs import RULES, TEMPLATES, each_once, find_files
from monitor.config.monitor.interval import TimeIntervals
from monitor.config.monitor.receiver import Receiver
from monitor.config.monitor.route import InhibitRule, RootRoute, names_used
from monitor.config.monitor.routing_tree import tree_of
from monitor.config.monitor.sections import Flapping, Log, Privacy, Reload, ScheduledReport, Watchdog, Web
from monitor.config.monitor.store_location import parse_store
from monitor.config.yaml import (
    MISSING,
    FieldProblem,
    NestedProblems,
    Period,
    Secret,
    Text,
    ValidationContext,
    YamlModel,
    suggest,
)
from monitor.config.yaml.document import Document, KeyPath, show_path
from monitor.routing.inhibition import Inhibition
from monitor.routing.route import Route as Tree
from monitor.routing.time_intervals import NamedInterval
from monitor.runtime.clock import DAY
from monitor.runtime.errors import Problem
from monitor.runtime.postgresql_address import PostgresqlAddress, is_postgresql, parse_postgresql


class Config(YamlModel):
    """Everything in ``monitor.yaml``."""

    may_be_null = ("web", "flapping")
    secrets = ("store_password",)

    accounts: tuple[Account, ...] = Field(min_length=1)
    """Routee accounts."""
    searches: tuple[Search, ...] = ()
    """What is polled; left out: one search, named all, for each account."""
    rules: tuple[Text, ...] = ()
    """Rule files: paths, globs or folders, relative to this file. Folders named tests are left out."""
    store: Text = "sqlite:monitor.db"
    """Where everything is kept: sqlite:///absolute/path, sqlite:NAME relative to this file, or postgresql://user@host/database."""
    store_password: Secret | None = None
    """The password of a store in PostgreSQL."""
    store_password_file: Text | None = None
    """A file that holds it."""
    retention: Period = 30 * DAY
    """How long messages and records that could not be read are kept. What happened to alerts, and notifications, are kept for 30 days."""
    receivers: tuple[Receiver, ...] = ()
    """Who is notified; left out: the console."""
    route: RootRoute
    """Which receiver is notified, and when. It may be left out if there is one receiver."""
    inhibit_rules: tuple[InhibitRule, ...] = ()
    """Which alerts are not notified while a larger one fires."""
    time_intervals: tuple[TimeIntervals, ...] = ()
    """Times of day, week and year that routes refer to by name."""
    watchdog: Watchdog | None = None
    """A dead-man's switch; off unless written."""
    report: ScheduledReport | None = None
    """The morning report; off unless written."""
    flapping: Flapping | None = Field(default_factory=Flapping.model_construct)
    """How alerts that begin and end repeatedly are notified; off: every beginning and every end is."""
    templates: tuple[Text, ...] = ()
    """Template files: paths, globs or folders, relative to this file."""
    web: Web | None = Field(default_factory=Web.model_construct)
    """The listener; off: none."""
    privacy: Privacy = Field(default_factory=Privacy.model_construct)
    """What is kept of the people who get messages."""
    log: Log = Field(default_factory=Log.model_construct)
    """What is logged."""
    reload: Reload = Field(default_factory=Reload.model_construct)
    """When changed files are read."""

    _document: Document | None = PrivateAttr(default=None)
    _folder: Path = PrivateAttr(default=Path())

    def time_zone_of(self, account: str) -> str:
        """Returns the time zone of an account; UTC if no account has that name."""
        return next((one.time_zone for one in self.accounts if one.name == account), "UTC")

    def read_from(self, document: Document, folder: Path) -> None:
        """Records the document, and the folder to which its paths are relative."""
        self._document = document
        self._folder = folder

    def location(self, *path: str | int) -> tuple[str, int, int]:
        """Returns file, line and column of the value at ``path``: ``"receivers", 0, "webhook", 1, "template"``."""
        return self._document.location(path) if self._document else ("", 1, 1)

    def problem(self, message: str, *path: str | int) -> Problem:
        """Returns a problem of the value at ``path`` that was found after validation."""
        return Problem(*self.location(*path), show_path(path), message)

    @property
    def folder(self) -> Path:
        """Returns the folder of the file, to which its paths are relative."""
        return self._folder

    @property
    def rule_files(self) -> tuple[Path, ...]:
        """Returns the present rule files, each once. Raises ValueError if a pattern matches none any more."""
        return each_once(self._folder, self.rules, RULES)

    @property
    def template_files(self) -> tuple[Path, ...]:
        """Returns the present template files, each once. Raises ValueError if a pattern matches none any more."""
        return each_once(self._folder, self.templates, TEMPLATES)

    @property
    def store_location(self) -> Path | PostgresqlAddress:
        """Returns the path of the SQLite file, or the address of the PostgreSQL database with its password."""
        found = parse_store(self.store, self._folder)
        if isinstance(found, Path):
            return found
        return found.with_password("" if self.store_password is None else self.store_password.get_secret_value())

    @property
    def by_account(self) -> bool:
        """Returns whether several daemons can share the accounts, so that nothing that is kept or notified may span two of them."""
        return is_postgresql(self.store)

    def route_tree(self) -> Tree:
        """Returns the routing tree, with everything inherited filled in."""
        return tree_of(self.route, {one.name: one for one in self.named_intervals})

    @property
    def named_intervals(self) -> tuple[NamedInterval, ...]:
        """Returns the time intervals that routes refer to."""
        return tuple(
            NamedInterval(one.name, tuple(entry.interval for entry in one.time_intervals))
            for one in self.time_intervals
        )

    @property
    def inhibitions(self) -> tuple[Inhibition, ...]:
        """Returns the inhibition rules."""
        return tuple(Inhibition(one.source_matchers, one.target_matchers, one.equal) for one in self.inhibit_rules)

    @classmethod
    def check_keys(cls, data: Mapping[str, Any], reading: ValidationContext) -> Iterable[FieldProblem]:
        """Yields names that occur twice, and references to names that do not exist. Looks at raw data, so that other errors hide none of these."""
        whole = cls.completed(dict(data), reading)
        accounts, searches, receivers = (_mappings(whole.get(key)) for key in ("accounts", "searches", "receivers"))
        if data.get("searches") == []:
            yield FieldProblem(
                ("searches",), "needs at least one search; take the key out to poll everything of each account"
            )
        yield from _twice("accounts", accounts, "name")
        yield from _twice("searches", searches, "account", "name")
        yield from _twice("receivers", receivers, "name")
        for index, search in searches:
            yield from _unknown("account", ("searches", index, "account"), search.get("account"), accounts)
        written = {"store_password", "store_password_file"} & data.keys()
        if written and "store_password" in _parted_store(data):
            yield FieldProblem(("store",), f"has a password already: take it out there, or take out {written.pop()}")
        intervals = _mappings(data.get("time_intervals"))
        yield from _twice("time_intervals", intervals, "name")
        for what, path, name in names_used(whole["route"]):
            yield from _unknown(what, path, name, receivers if what == "receiver" else intervals)
        for key in ("watchdog", "report"):
            if isinstance(section := data.get(key), dict):
                yield from _unknown("receiver", (key, "receiver"), section.get("receiver"), receivers)

    def check_values(self) -> Iterable[FieldProblem]:
        if self.store_password is not None and not is_postgresql(self.store):
            yield FieldProblem(("store_password",), "a store in SQLite has no password; take it out", at_key=True)
        for index, account in enumerate(self.accounts if self.web is None else ()):
            if account.callback_secret is not None:
                yield FieldProblem(
                    ("accounts", index, "callback_secret"), "needs the listener, which is off: take out web: off"
                )

    @classmethod
    def unknown_key(cls, key: str, value: object) -> str:
        if key == "mute_time_intervals":
            return "is Alertmanager's old name; write time_intervals"
        if key == "global":
            return "is not a section of this file: each receiver has its own settings; take it out"
        return super().unknown_key(key, value)

    @classmethod
    def completed(cls, data: dict[str, Any], reading: ValidationContext) -> dict[str, Any]:
        """Fills in what may be left out: the searches, their account, the receivers and the route's receiver."""
        accounts = list(dict.fromkeys(str(entry.get("name")) for _, entry in _mappings(data.get("accounts"))))
        searches = data.get("searches", [{"name": "all", "account": account} for account in accounts])
        if isinstance(searches, list) and len(accounts) == 1:
            searches = [{"account": accounts[0]} | entry if isinstance(entry, dict) else entry for entry in searches]
        receivers = data.get("receivers", [{"name": "console", "console": [{}]}])
        names = [entry.get("name") for _, entry in _mappings(receivers)]
        usual = {"receiver": names[0]} if len(names) == 1 else {}
        route = data.get("route", {})
        route = usual | route if isinstance(route, dict) else route
        return data | _parted_store(data) | {"searches": searches, "receivers": receivers, "route": route}

    @classmethod
    def _notes_of(cls, error: ValidationError, data: dict[str, Any]) -> Iterable[FieldProblem]:
        """Yields the problems; one about a missing receiver of the route names the receivers that exist."""
        given = [entry["name"] for _, entry in _mappings(data.get("receivers")) if entry.get("name")]
        names = [str(name) for name in given]
        route = data.get("route")
        is_filled_in = not isinstance(route, Mapping) or "receiver" not in route
        for note in super()._notes_of(error, data):
            if note.path == ("route", "receiver") and is_filled_in and not all(isinstance(name, str) for name in given):
                continue  # it only follows from what is said of the receiver's name
            if note.path == ("route", "receiver") and note.message == MISSING and names:
                said = f"is missing: write who gets what no other route takes, as in route: {{receiver: {names[0]}}}"
                note = replace(note, message=f"{said}; the receivers are {', '.join(names)}")
            yield note

    @field_validator("rules", "templates")
    @classmethod
    def _found(cls, patterns: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        folder = info.context.folder if isinstance(info.context, ValidationContext) else None
        suffixes = RULES if info.field_name == "rules" else TEMPLATES
        notes = []
        for index, pattern in enumerate(patterns if folder is not None else ()):
            try:
                find_files(folder or Path(), pattern, suffixes)
            except ValueError as error:
                notes.append(FieldProblem((index,), str(error)))
        if notes:
            raise NestedProblems(notes)
        return patterns

    @field_validator("store")
    @classmethod
    def _known_store(cls, store: str) -> str:
        parse_store(store, Path())
        return store

    @field_validator("web", "flapping", mode="before")
    @classmethod
    def _off(cls, value: object) -> object:
        return None if value in ("off", False) else value


def _parted_store(data: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the store's address and the password in it, as the two keys that they are; nothing if there is none or it is wrong."""
    store = data.get("store")
    if not isinstance(store, str) or not is_postgresql(store):
        return {}
    try:
        address = parse_postgresql(store)
    except ValueError:
        return {}  # the field's validator says why
    return {"store": str(address)} | ({"store_password": address.password} if address.password else {})


def _mappings(entries: object) -> list[tuple[int, dict[str, Any]]]:
    """Returns the mappings of a list, with their indices."""
    return (
        [(i, entry) for i, entry in enumerate(entries) if isinstance(entry, dict)] if isinstance(entries, list) else []
    )


def _twice(key: str, entries: list[tuple[int, dict[str, Any]]], *identity: str) -> Iterable[FieldProblem]:
    """Yields a problem for each entry with the name of an earlier one."""
    seen: dict[str, int] = {}
    for index, entry in entries:
        name = entry.get("name")
        first = seen.setdefault(str([entry.get(part) for part in identity]), index)
        if isinstance(name, str) and first != index:
            yield FieldProblem(
                (key, index, "name"), f"{name!r} is already the name of {key}[{first}]; choose another one"
            )


def _unknown(
    what: str, path: KeyPath, name: object, entries: list[tuple[int, dict[str, Any]]]
) -> Iterable[FieldProblem]:
    """Yields a problem if no entry has that name."""
    names = dict.fromkeys(entry["name"] for _, entry in entries if isinstance(entry.get("name"), str))
    if isinstance(name, str) and name not in names:
        yield FieldProblem(path, f"no {what} is named {name!r}{suggest(name, names)}")
