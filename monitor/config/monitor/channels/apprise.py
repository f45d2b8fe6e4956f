"""The model of a channel to a service of the library Apprise."""

import re
from typing import Annotated

from pydantic import AfterValidator, SecretStr

from monitor.config.monitor.channels.model import ChannelModel, Timeout
from monitor.config.yaml import Secret, Text
from monitor.config.yaml.unread_secret import MAY_BE_UNREAD
from monitor.runtime.clock import SECOND


def _apprise_url(url: SecretStr) -> SecretStr:
    text = url.get_secret_value()
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://.", text) or re.search(r"\s", text):
        raise ValueError("is not an address of a service: write it as Apprise does, like mailto://… or ntfy://…")
    return url


AppriseUrl = Annotated[Secret, AfterValidator(_apprise_url), MAY_BE_UNREAD]
"""The address of one service. It is never shown, because most addresses hold a password."""


class Apprise(ChannelModel):
    """One of the services that the library Apprise knows; needs routee-monitor[apprise]."""

    kind = "apprise"
    listed = "Any other service, through Apprise."
    secrets = ("url",)

    url: AppriseUrl
    """The service's address, as Apprise writes it (mailto://…, ntfy://…)."""
    url_file: Text | None = None
    """A file that holds the address."""
    timeout: Timeout = 30 * SECOND
    """How long one attempt may take."""
