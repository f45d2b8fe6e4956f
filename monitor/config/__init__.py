"""``monitor.yaml`` as frozen settings. Durations are microseconds; secrets are SecretStr and are never shown."""

from monitor.config.account import Account, Resweep, Search, SearchFilter
from monitor.config.load import EXIT_BAD_CONFIG, load_config, read_config
from monitor.config.model import Config
from monitor.config.own import Log, Privacy, Web
from monitor.config.receiver import Apprise, Channel, Console, Receiver, Route, Slack, Webhook

__all__ = [
    "EXIT_BAD_CONFIG",
    "Account",
    "Apprise",
    "Channel",
    "Config",
    "Console",
    "Log",
    "Privacy",
    "Receiver",
    "Resweep",
    "Route",
    "Search",
    "SearchFilter",
    "Slack",
    "Web",
    "Webhook",
    "load_config",
    "read_config",
]
