"""Why no answer came, in words that a person can act on. Knows the standard library's and trio's errors only."""

import socket
import ssl

from monitor.ingest.routee.clean_text import clean
from monitor.runtime.transport_errors import OWN_AUTHORITY, causes, trouble

_LONGEST_DETAIL = 160


def unreachable(error: BaseException, host: str) -> tuple[str, str]:
    """The outcome's word and a sentence for a connection to ``host`` that could not be made."""
    for cause in causes(error):
        match cause:
            case socket.gaierror() | UnicodeError():
                return "dns", f"the host name {host} cannot be resolved: check the URL and this machine's DNS"
            case ssl.SSLError():
                detail = getattr(cause, "verify_message", "") or getattr(cause, "reason", "") or "handshake failed"
                sentence = f"no trusted TLS connection to {host}: {clean(str(detail), _LONGEST_DETAIL)}"
                return "tls", sentence + (OWN_AUTHORITY if isinstance(cause, ssl.SSLCertVerificationError) else "")
            case ConnectionRefusedError():
                return "refused", f"{host} refuses the connection: check the URL, its port and the firewall"
            case OSError(strerror=str() as reason):
                return "unreachable", f"{host} cannot be reached: {clean(reason, _LONGEST_DETAIL)}"
    return "unreachable", f"{host} cannot be reached"


def detail_of(error: BaseException) -> str:
    """What an error says of itself, or what caused it; bounded, on one line."""
    return clean(str(error) or trouble(error), _LONGEST_DETAIL)
