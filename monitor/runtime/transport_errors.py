"""Why a connection failed, in words: for errors of HTTP libraries, sockets and TLS, whose own text may be empty or a type's name."""

import socket
import ssl
from collections.abc import Iterator

import trio

from monitor.runtime.printable import line

_LONGEST = 160
OWN_AUTHORITY = "; where a proxy or an authority of your own signs, name its certificates in SSL_CERT_FILE"


def trouble(error: BaseException, *, quote: bool = True) -> str:
    """The end of a sentence (``it refuses the connection``), from the first cause that says anything; one line, bounded.

    ``quote``: where no cause is known the error's own text is repeated, which may hold the address.
    """
    own = line(str(error)[:_LONGEST]).strip() if quote else ""
    known = explained(error)
    return known[1] if known is not None else own or "the connection failed"


def explained(error: BaseException) -> tuple[str, str] | None:
    """The first cause that says anything: one word (``refused``), and the end of a sentence. None where no cause is known."""
    return next((found for cause in causes(error) if (found := _explained(cause)) is not None), None)


def _explained(cause: BaseException) -> tuple[str, str] | None:
    match cause:
        case socket.gaierror() | UnicodeError():
            return "dns", "its name cannot be resolved; check the address and this machine's DNS"
        case ssl.SSLError():
            detail = line(
                str(getattr(cause, "verify_message", "") or getattr(cause, "reason", "") or "the handshake failed")
            )[:_LONGEST]
            own_authority = OWN_AUTHORITY if isinstance(cause, ssl.SSLCertVerificationError) else ""
            return "tls", f"no trusted TLS connection: {detail}{own_authority}"
        case ConnectionRefusedError():
            return "refused", "it refuses the connection; check the address, its port and the firewall"
        case ConnectionResetError() | BrokenPipeError() | ConnectionAbortedError():
            return "cut", "the connection was cut"
        case TimeoutError() | trio.TooSlowError():
            return "timeout", "it gave no answer in time"
        case OSError(strerror=str() as reason):
            return "unreachable", line(reason)[:_LONGEST]
    return ("timeout", "it gave no answer in time") if type(cause).__name__.endswith("Timeout") else None


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and its causes from the outermost in, groups included; the chain is bounded, should it ever be a ring."""
    waiting: list[BaseException] = [error] if error is not None else []
    for _ in range(50):
        if not waiting:
            return
        cause = waiting.pop(0)
        yield cause
        if isinstance(cause, BaseExceptionGroup):
            waiting += cause.exceptions
        waiting += [inner for inner in (cause.__cause__, cause.__context__) if inner is not None]
