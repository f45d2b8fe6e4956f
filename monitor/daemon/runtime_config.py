"""A configuration with everything that is built from it beforehand; a reload builds the next one and replaces it."""

from dataclasses import replace
from typing import TextIO

from monitor.config.monitor import Config
from monitor.config.rules import Rule
from monitor.config.settings import Settings
from monitor.daemon.validate import SettingsWithTemplates
from monitor.notify.channels import ChannelContext
from monitor.notify.receivers import Notifiers
from monitor.notify.render import Templates
from monitor.runtime.clock import Clock
from monitor.runtime.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class RuntimeConfig:
    """Settings with their templates and notifiers."""

    settings: Settings
    templates: Templates
    notifiers: Notifiers

    @classmethod
    def first(cls, loaded: SettingsWithTemplates, clock: Clock, stream: TextIO) -> "RuntimeConfig":
        """Returns the configuration of the start. ``stream`` is where console channels write."""
        channel_context = ChannelContext(clock, loaded.templates, stream)
        return cls(loaded.settings, loaded.templates, Notifiers.of(loaded.settings.config, channel_context))

    def next(self, loaded: SettingsWithTemplates) -> "RuntimeConfig":
        """Returns the next runtime configuration; reuses whatever is unchanged."""
        templates = self.templates if self.templates.say_the_same(loaded.templates) else loaded.templates
        channel_context = replace(self.notifiers.channel_context, templates=templates)
        return RuntimeConfig(
            loaded.settings, templates, Notifiers.of(loaded.settings.config, channel_context, self.notifiers)
        )

    @property
    def config(self) -> Config:
        """The configuration itself."""
        return self.settings.config

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules."""
        return self.settings.rules

    @property
    def searches(self) -> list[tuple[str, str]]:
        """Returns the polled searches, as account and search."""
        return [(search.account, search.name) for search in self.config.searches]

    @property
    def channels(self) -> list[tuple[str, str]]:
        """Returns the notified channels, as receiver and channel, including Alertmanagers."""
        return [(receiver.name, channel) for receiver in self.config.receivers for channel, _ in receiver.channels]

    def changed_searches(self, before: "RuntimeConfig") -> set[tuple[str, str]]:
        """Returns the searches (account, name) whose query or account differs from ``before``, new ones included."""
        was = before._asked()
        return {search for search, asked in self._asked().items() if was.get(search) != asked}

    def _asked(self) -> dict[tuple[str, str], object]:
        accounts = {account.name: account for account in self.config.accounts}
        return {(one.account, one.name): (one, accounts[one.account]) for one in self.config.searches}
