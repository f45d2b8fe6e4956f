"""Why no answer came, in words that a person can act on."""

from monitor.ingest.routee.clean_text import clean
from monitor.runtime.transport_errors import explained, trouble

_LONGEST_DETAIL = 160


def unreachable(error: BaseException, host: str) -> tuple[str, str]:
    """The outcome's word and a sentence for a connection to ``host`` that could not be made."""
    outcome, why = explained(error) or ("unreachable", "it cannot be reached")
    return outcome, f"no connection to {host}: {why}"


def detail_of(error: BaseException) -> str:
    """What an error says of itself, or what caused it; bounded, on one line."""
    return clean(str(error) or trouble(error), _LONGEST_DETAIL)
