"""Explains in words why a request got no answer."""

from monitor.ingest.routee.clean_text import clean
from monitor.runtime.transport_errors import explained, trouble

_LONGEST_DETAIL = 160
_OUTCOMES = ("dns", "tls", "refused")
"""Outcomes of their own in the metrics. ``cut`` and ``timeout`` are those of a connection that was made."""


def unreachable(error: BaseException, host: str) -> tuple[str, str]:
    """Returns the outcome as a word, and a sentence, for a connection to ``host`` that could not be made."""
    cause, why = explained(error) or ("unreachable", "it cannot be reached")
    outcome = cause if cause in _OUTCOMES else "unreachable"
    return outcome, f"no connection to {host}: {why}"


def detail_of(error: BaseException) -> str:
    """Returns the error's text, or its cause if it has none, on one line of bounded length."""
    return clean(str(error) or trouble(error), _LONGEST_DETAIL)
