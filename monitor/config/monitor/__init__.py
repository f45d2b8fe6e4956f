"""``monitor.yaml`` as frozen settings. Durations are microseconds; secrets are SecretStr and are never shown."""

from monitor.config.account import Account, Resweep, Search, SearchFilter
from monitor.config.alertmanager import Alertmanager
from monitor.config.load import EXIT_BAD_CONFIG, load_config, read_config
from monitor.config.model import Config
from monitor.config.own import Log, Privacy, Watchdog, Web
from monitor.config.receiver import Apprise, Channel, Console, Receiver, Slack, Webhook
from monitor.config.route import InhibitRule, Route, Subroute
from monitor.config.tree import doubts, every_route, receivers_told

__all__ = [
    "EXIT_BAD_CONFIG",
    "Account",
    "Alertmanager",
    "Apprise",
    "Channel",
    "Config",
    "Console",
    "InhibitRule",
    "Log",
    "Privacy",
    "Receiver",
    "Resweep",
    "Route",
    "Search",
    "SearchFilter",
    "Slack",
    "Subroute",
    "Watchdog",
    "Web",
    "Webhook",
    "doubts",
    "every_route",
    "load_config",
    "read_config",
    "receivers_told",
]
