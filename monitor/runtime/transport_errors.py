"""Explains failed connections in words: errors of HTTP libraries, sockets and TLS often have an empty text or only a type's name."""

import os
import socket
from collections.abc import Iterator

from monitor.runtime.printable import line

_LONGEST = 160
OWN_AUTHORITY = "; where a proxy or an authority of your own signs, name its certificates in SSL_CERT_FILE"


def trouble(error: BaseException, *, quote: bool = True) -> str:
    """Returns the end of a sentence (``it refuses the connection``) for the first known cause, on one bounded line.

    Where no cause is known, returns the error's own text if ``quote`` is set; that text may contain the address.
    """
    own = line(str(error)[:_LONGEST]).strip() if quote else ""
    known = explained(error)
    return known[1] if known is not None else own or "the connection failed"


def explained(error: BaseException) -> tuple[str, str] | None:
    """Returns one word (``refused``) and the end of a sentence for the first known cause; None where no cause is known."""
    return next((found for cause in causes(error) if (found := _explained(cause)) is not None), None)


def _explained(cause: BaseException) -> tuple[str, str] | None:
    import ssl

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
        case TimeoutError():
            return "timeout", "it gave no answer in time"
        case OSError() if reason := _reason(cause):
            return "unreachable", reason
    late = type(cause).__name__  # of HTTP libraries and of trio, which are not imported for their names
    return ("timeout", "it gave no answer in time") if late.endswith("Timeout") or late == "TooSlowError" else None


def _reason(error: OSError) -> str:
    """What the system says of an error; empty if it says nothing."""
    return line(error.strerror or (os.strerror(error.errno) if error.errno else "")).strip()[:_LONGEST]


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yields the error and its causes from the outermost inwards, groups included: at most 50, as the chain may be a cycle."""
    waiting: list[BaseException] = [error] if error is not None else []
    for _ in range(50):
        if not waiting:
            return
        cause = waiting.pop(0)
        yield cause
        if isinstance(cause, BaseExceptionGroup):
            waiting += cause.exceptions
        waiting += [inner for inner in (cause.__cause__, cause.__context__) if inner is not None]
