"""Why no answer came, in words that a person can act on. Knows the standard library's and trio's errors only."""

import socket
import ssl
from collections.abc import Iterator

from monitor.routee.text import clean

_LONGEST_DETAIL = 160
_OWN_AUTHORITY = "; where a proxy or an authority of your own signs, name its certificates in SSL_CERT_FILE"


def unreachable(error: BaseException, host: str) -> tuple[str, str]:
    """The outcome's word and a sentence for a connection to ``host`` that could not be made."""
    for cause in _causes(error):
        match cause:
            case socket.gaierror() | UnicodeError():
                return "dns", f"the host name {host} cannot be resolved: check the URL and this machine's DNS"
            case ssl.SSLError():
                detail = getattr(cause, "verify_message", "") or cause.reason or "handshake failed"
                sentence = f"no trusted TLS connection to {host}: {clean(str(detail), _LONGEST_DETAIL)}"
                return "tls", sentence + (_OWN_AUTHORITY if isinstance(cause, ssl.SSLCertVerificationError) else "")
            case ConnectionRefusedError():
                return "refused", f"{host} refuses the connection: check the URL, its port and the firewall"
            case OSError(strerror=str() as reason):
                return "unreachable", f"{host} cannot be reached: {clean(reason, _LONGEST_DETAIL)}"
    return "unreachable", f"{host} cannot be reached"


def detail_of(error: BaseException) -> str:
    """What an error says of itself, its kind where it says nothing; bounded, on one line."""
    text = str(error)
    return clean(f"{type(error).__name__}: {text}" if text else repr(error), _LONGEST_DETAIL)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error's causes from the outermost in, groups included; the chain is bounded, should it ever be a ring."""
    waiting: list[BaseException] = [error] if error is not None else []
    for _ in range(50):
        if not waiting:
            return
        cause = waiting.pop(0)
        yield cause
        if isinstance(cause, BaseExceptionGroup):
            waiting += cause.exceptions
        waiting += [inner for inner in (cause.__cause__, cause.__context__) if inner is not None]
