"""``monitor.yaml`` as frozen settings. Durations are microseconds; secrets are SecretStr and are never shown."""

from monitor.config.monitor.account import Account, Resweep, Search, SearchFilter
from monitor.config.monitor.channels import CHANNEL_MODELS, Alertmanager, Apprise, ChannelModel, Console, Slack, Webhook
from monitor.config.monitor.load import EXIT_BAD_CONFIG, load_config, read_config
from monitor.config.monitor.model import Config
from monitor.config.monitor.receiver import Receiver
from monitor.config.monitor.route import InhibitRule, RootRoute, Subroute
from monitor.config.monitor.routing_tree import doubts, every_route, reachable_receivers
from monitor.config.monitor.sections import Log, Privacy, ScheduledReport, Watchdog, Web

__all__ = [
    "CHANNEL_MODELS",
    "EXIT_BAD_CONFIG",
    "Account",
    "Alertmanager",
    "Apprise",
    "ChannelModel",
    "Config",
    "Console",
    "InhibitRule",
    "Log",
    "Privacy",
    "Receiver",
    "Resweep",
    "RootRoute",
    "ScheduledReport",
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
    "reachable_receivers",
    "read_config",
]
