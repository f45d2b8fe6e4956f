"""The headers of every answer that restrict a browser to showing it.

`monitor.daemon.http.guards` adds them to whatever the application answers, refusals and failures included. What is answered without the
application (before TLS, without HTTP, by the fast path of callbacks) is written with `LINES`.
"""

from typing import Final

_SOURCES: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
"""What a page may load: files from here only, no inline style or script."""

SECURITY_HEADERS: Final = {
    "cache-control": "no-store",
    "content-security-policy": _SOURCES,
    "referrer-policy": "same-origin",  # without a referrer, a browser would not show that our own forms are ours
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}

LINES: Final = "\r\n".join(f"{name}: {value}" for name, value in SECURITY_HEADERS.items())
"""The headers as they are sent, without the end of the last line."""
