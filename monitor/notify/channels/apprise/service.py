"""What Apprise gets of a notification, and the service that an address names. Nothing here sends anything."""

import importlib
import logging
from importlib.util import find_spec
from typing import Any, Final

from monitor.config.yaml import is_loopback
from monitor.model.notification import Notification
from monitor.notify.render.notification_text import push, tone_of
from monitor.notify.render.sanitize import Tone, clip
from monitor.notify.render.text import plain_text
from monitor.runtime.installation import how_to_add

MISSING: Final = f"needs Apprise, which is not installed: {how_to_add('apprise')}"
UNKNOWN: Final = (
    "is not an address that Apprise can use; `apprise --details` lists how those of each service are written"
)

LONGEST_BODY: Final = 16_000
"""The longest body in characters; for services that accept less, Apprise cuts it."""
_LONGEST_TITLE: Final = 250

_HOSTED: Final = {"cloud", "official", "t2bot"}
"""The modes of services in which Apprise asks the provider's own server, with TLS whatever the scheme."""

_TYPES: Final[dict[Tone, str]] = {"critical": "failure", "warning": "warning", "info": "info", "resolved": "success"}


def content(notification: Notification) -> dict[str, str]:
    """Returns what Apprise gets: ``title``, ``body``, the level (``notify_type``) and the format of the body, plain text."""
    return {
        "title": clip(push(notification), _LONGEST_TITLE),
        "body": clip(plain_text(notification), LONGEST_BODY),
        "notify_type": _TYPES[tone_of(notification)],
        "body_format": "text",
    }


def problem_text(url: str) -> str:
    """Returns what is wrong with an address, as the end of a sentence; empty if Apprise can use it."""
    if find_spec("apprise") is None:
        return MISSING
    return "" if service(url) is not None else UNKNOWN


def encrypted_scheme(url: str) -> str:
    """Returns the scheme (``jsons://``) to write in place of that of an address which goes to another machine without TLS; empty if there is none.

    Apprise knows which of its services have such a pair of schemes, and whether an address uses TLS all the same. The host is not told: with
    some services it is the secret.
    """
    whole = service(url) if url and find_spec("apprise") is not None else None
    if whole is None:
        return ""
    plugin = whole[0]
    pairs = dict(zip(_written(plugin.protocol), _written(plugin.secure_protocol), strict=False))
    meant = pairs.get(scheme(url).lower(), "")
    is_open = not plugin.secure and getattr(plugin, "mode", None) not in _HOSTED
    return meant if is_open and plugin.host and not is_loopback(plugin.host) else ""


def _written(schemes: Any) -> tuple[str, ...]:
    """Returns the schemes of a service, as `scheme` does. Apprise gives one text, several, or None."""
    return tuple(f"{one}://" for one in ((schemes,) if isinstance(schemes, str) else schemes or ()))


def service(url: str) -> Any:
    """Returns Apprise with this one service; None if it cannot use the address."""
    from monitor.notify.channels.bounded_response import BoundedResponse  # which loads TLS

    apprise = importlib.import_module("apprise")  # not before it is needed: it takes time to load, and may not be there
    # What Apprise's services are asked with, requests, uses urllib3, and nothing else here does.
    importlib.import_module("urllib3.connection").HTTPConnection.response_class = BoundedResponse
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    asset = apprise.AppriseAsset(app_id="routee-monitor", app_desc="routee-monitor", async_mode=False)
    made = apprise.Apprise.instantiate(url, asset=asset)
    if made is None:
        return None
    # A redirect would carry the message, and with some services its token, to another server.
    made.redirects = False
    if "overflow=" not in url:
        made.overflow_mode = apprise.OverflowMode.TRUNCATE
    whole = apprise.Apprise(asset=asset)
    whole.add(made)
    return whole


def scheme(url: str) -> str:
    """Returns the only part of an address that is ever shown: ``mailto://``."""
    return f"{url.partition('://')[0][:20]}://"
