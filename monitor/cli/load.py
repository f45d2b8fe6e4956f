"""Loads the files that users write, as the daemon does, for commands; secrets in them are hidden from all output.

A secret whose file cannot be read stops a command only when it needs that secret (SecretUnreadable). The exceptions are `run` and `check`.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from monitor.cli.options import environment, find_config

if TYPE_CHECKING:
    from monitor.config.monitor import Config
    from monitor.config.rules import Rule
    from monitor.config.settings import Settings
    from monitor.daemon.validate import SettingsWithTemplates
    from monitor.runtime.errors import InputError


def read_config(given: Path | None) -> "Config":
    """Returns the configuration alone. Raises InputError and ConfigMissing."""
    from monitor.config.monitor import load_config
    from monitor.daemon.hidden_secrets import hide_secrets

    config = load_config(find_config(given), environment(), late_secrets=True)
    hide_secrets(config)
    return config


def read_rules(given: Path | None) -> "tuple[Rule, ...]":
    """Returns the rules that have no errors, for commands that are about something else."""
    from monitor.config.settings import read

    return tuple(read(find_config(given), environment(), late_secrets=True).rules)


def read_settings(given: Path | None) -> "Settings":
    """Returns configuration and rules, for commands that render no templates. Raises InputError and ConfigMissing."""
    from monitor.config.settings import load
    from monitor.daemon.hidden_secrets import hide_secrets

    settings = load(find_config(given), environment(), late_secrets=True)
    hide_secrets(settings.config)
    return settings


def read_everything(given: Path | None, *, late_secrets: bool = True) -> "SettingsWithTemplates":
    """Returns configuration, rules and templates. Raises InputError and ConfigMissing; without ``late_secrets`` also for secrets."""
    from monitor.daemon.hidden_secrets import hide_secrets
    from monitor.daemon.validate import load

    loaded = load(find_config(given), environment(), late_secrets=late_secrets)
    hide_secrets(loaded.settings.config)
    return loaded


def read_as_it_runs(given: Path | None) -> "tuple[Settings, InputError | None]":
    """Returns configuration and rules for commands that show a daemon's state, and what is wrong with them; None if all of them are valid.

    Rule files with errors do not hide the state of a daemon, which continues with the files that it read before. Raises InputError if the
    configuration itself is wrong, and ConfigMissing.
    """
    from monitor.config.settings import Settings, read
    from monitor.daemon.hidden_secrets import hide_secrets
    from monitor.runtime.errors import InputError

    found = read(find_config(given), environment(), late_secrets=True)
    if found.config is None:
        raise InputError(list(found.problems))
    hide_secrets(found.config)
    return Settings(found.config, found.rules), InputError(list(found.problems)) if found.problems else None


def as_warning(error: "InputError") -> str:
    """Returns in one line what is wrong with the files beside a daemon's state."""
    first, *others = str(error).splitlines()
    more = f" (and {len(others)} more: `routee-monitor check` shows them)" if others else ""
    return f"the files have errors, a running daemon goes on with what it read before: {first}{more}"


def look_outside() -> None:
    """Checks that HTTP clients can be made with this environment. Raises EnvironmentUnusable."""
    from monitor.runtime.certificates import is_from_environment, trust
    from monitor.runtime.proxies import proxies

    proxies()
    if is_from_environment():  # certifi's certificates are right, and to read them takes long
        trust()
