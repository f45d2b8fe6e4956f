"""Reading the files that people wrote, for commands: as the daemon would, with the secrets in them hidden from whatever is told."""

from pathlib import Path
from typing import TYPE_CHECKING

from monitor.cli.options import environment, find_config

if TYPE_CHECKING:
    from monitor.config.monitor import Config
    from monitor.daemon.validate import SettingsWithTemplates


def read_config(given: Path | None) -> "Config":
    """The configuration alone. Raises InputError and ConfigMissing."""
    from monitor.config.monitor import load_config
    from monitor.daemon.account_client import hide_secrets

    config = load_config(find_config(given), environment())
    hide_secrets(config)
    return config


def read_everything(given: Path | None) -> "SettingsWithTemplates":
    """Configuration, rules and templates. Raises InputError and ConfigMissing."""
    from monitor.daemon.account_client import hide_secrets
    from monitor.daemon.validate import load

    loaded = load(find_config(given), environment())
    hide_secrets(loaded.settings.config)
    return loaded


def look_outside() -> None:
    """Make sure that clients can be made as the environment says. Raises EnvironmentUnusable."""
    from monitor.runtime.certificates import trust
    from monitor.runtime.proxies import proxies

    proxies()
    trust()
