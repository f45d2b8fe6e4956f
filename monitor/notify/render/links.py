"""Builds the addresses of the status page: ``external_url`` comes from the configuration, everything else is percent-encoded.

/alerts/{fingerprint}               one alert
/alerts/{fingerprint}/acknowledge   the form that acknowledges it
/silences/new?matcher=…             the form of a new silence, with a matcher for each label
"""

from collections.abc import Mapping
from urllib.parse import quote

from monitor.routing.matcher_syntax import write_matcher


def page_url(external_url: str, fingerprint: str) -> str:
    """Returns the address of one alert's page."""
    return f"{external_url.rstrip('/')}/alerts/{_part(fingerprint)}"


def acknowledge_url(external_url: str, fingerprint: str) -> str:
    """Returns the address of the form that acknowledges an alert."""
    return f"{page_url(external_url, fingerprint)}/acknowledge"


def silence_url(external_url: str, labels: Mapping[str, str]) -> str:
    """Returns the address of the form for a silence with exactly these labels: ``matcher=alertname="Late"``, encoded, one for each label, sorted."""
    matchers = "&".join(f"matcher={_part(write_matcher(name, '=', value))}" for name, value in sorted(labels.items()))
    return f"{external_url.rstrip('/')}/silences/new" + (f"?{matchers}" if matchers else "")


def _part(text: str) -> str:
    # A lone surrogate, which broken data can contain, has no encoding: it becomes a question mark.
    # A tilde needs no encoding, but strikes text through in chats that find a URL in it.
    return quote(text, safe="", errors="replace").replace("~", "%7E")
