"""Hides the configuration's secrets from the log."""

from collections.abc import Iterator, Mapping
from typing import Final

from pydantic import SecretStr

from monitor.config.monitor import Config
from monitor.config.yaml.unread_secret import why_unread
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
        for application_id in _known(account.application_id):
            _hide_id(application_id)
        for secret in _known(account.application_secret, account.callback_secret):
            logs.hide(secret)
    for receiver in config.receivers:
        for _, entry in receiver.channels:
            for name in entry.secrets:
                for secret in _texts(getattr(entry, name)):
                    logs.hide(secret)
    for secret in _known(config.store_password, None if config.web is None else config.web.token):
        logs.hide(secret)


def _known(*secrets: SecretStr | None) -> Iterator[str]:
    """Yields the texts of those that could be read; the others can be shown nowhere."""
    yield from (one.get_secret_value() for one in secrets if one is not None and not why_unread(one))


def _texts(secret: SecretStr | Mapping[str, SecretStr] | None) -> Iterator[str]:
    """Yields the text of each secret, and the last word of each: the key of ``GenieKey KEY``."""
    several = {} if why_unread(secret) else secret if isinstance(secret, Mapping) else {"": secret}
    for text in _known(*several.values()):
        yield from (text, text.rpartition(" ")[2])
