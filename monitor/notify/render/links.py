"""Addresses of the status page, made here and nowhere else: ``external_url`` comes from the configuration, all else is percent-encoded.

/alerts/{fingerprint}               one alert
/alerts/{fingerprint}/acknowledge   the form that acknowledges it
/silences/new?matcher=…             the form of a new silence, with a matcher for each label
"""

from collections.abc import Mapping
from urllib.parse import quote

from monitor.routing.matcher_syntax import write_matcher


def page_url(external_url: str, fingerprint: str) -> str:
    """The page of one alert."""
    return f"{external_url.rstrip('/')}/alerts/{_part(fingerprint)}"


def acknowledge_url(external_url: str, fingerprint: str) -> str:
    """Where one alert is acknowledged."""
    return f"{page_url(external_url, fingerprint)}/acknowledge"


def silence_url(external_url: str, labels: Mapping[str, str]) -> str:
    """Where a silence for exactly these labels is written: ``matcher=alertname="Late"``, encoded, once a label and sorted."""
    matchers = "&".join(f"matcher={_part(write_matcher(name, '=', value))}" for name, value in sorted(labels.items()))
    return f"{external_url.rstrip('/')}/silences/new" + (f"?{matchers}" if matchers else "")


def _part(text: str) -> str:
    # A lone surrogate, as broken data can hold, has no encoding: it becomes a question mark.
    # The tilde, which needs no encoding, strikes text through in chats that find a URL in it.
    return quote(text, safe="", errors="replace").replace("~", "%7E")
