"""Hides the configuration's secrets from the log."""

from collections.abc import Iterator, Mapping
from typing import Final

from pydantic import SecretStr

from monitor.config.monitor import Config
from monitor.runtime import log as logs

SHORTEST_ID: Final = 16
"""Characters from which an application id is hidden as a secret; Routee's own ids have 24."""


def _hide_id(application_id: str) -> None:
    """Hides an application id, unless it is short: hiding a word like "sandbox" would remove it from every log line."""
    if len(application_id) >= SHORTEST_ID:
        logs.hide(application_id)


def hide_secrets(config: Config) -> None:
    """Hides the configuration's secrets in everything that is logged or sent from now on."""
    for account in config.accounts:
        _hide_id(account.application_id.get_secret_value())
        logs.hide(account.application_secret.get_secret_value())
        if account.callback_secret is not None:
            logs.hide(account.callback_secret.get_secret_value())
    for receiver in config.receivers:
        for _, entry in receiver.channels:
            for name in entry.secrets:
                for secret in _texts(getattr(entry, name)):
                    logs.hide(secret)
    if config.store_password is not None:
        logs.hide(config.store_password.get_secret_value())
    if config.web is not None and config.web.token is not None:
        logs.hide(config.web.token.get_secret_value())


def _texts(secret: SecretStr | Mapping[str, SecretStr] | None) -> Iterator[str]:
    """Yields the text of each secret, and the last word of each: the key of ``GenieKey KEY``."""
    several = {} if secret is None else secret if isinstance(secret, Mapping) else {"": secret}
    for one in several.values():
        text = one.get_secret_value()
        yield from (text, text.rpartition(" ")[2])
