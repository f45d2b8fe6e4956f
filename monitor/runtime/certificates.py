"""Chooses the trusted CA certificates: those of SSL_CERT_FILE or SSL_CERT_DIR, else certifi's."""

import os
from functools import lru_cache
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING, Final

from monitor.runtime.errors import EnvironmentUnusable, of_environment

if TYPE_CHECKING:
    import ssl

_READING: Final = Lock()
"""Held while certificates are read, so that threads of several accounts read them once."""


def is_from_environment() -> bool:
    """Returns whether the environment chooses the certificates, so that they may be unusable."""
    return bool(os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR"))


def trust() -> "ssl.SSLContext":
    """Returns the TLS context for every outgoing connection. Raises EnvironmentUnusable."""
    with _READING:
        return trusted(os.environ.get("SSL_CERT_FILE", ""), os.environ.get("SSL_CERT_DIR", ""))


async def read_beside() -> None:
    """Reads in a thread what `trust` returns from then on. Raises EnvironmentUnusable."""
    import trio

    await trio.to_thread.run_sync(trust)


def read_ahead() -> Thread:
    """Reads certifi's certificates, unless the environment chooses others, in a thread that it returns: `trust` finds them read later on.

    OpenSSL reads without the interpreter's lock, so that it takes no time of the start.
    """
    thread = Thread(target=_read_certifi, name="certificates", daemon=True)
    thread.start()
    return thread


def _read_certifi() -> None:
    if not is_from_environment():
        trust()


@lru_cache(maxsize=1)
def trusted(file: str, folder: str) -> "ssl.SSLContext":
    """Returns a context with the certificates of ``file``, else ``folder``, else certifi's; an empty name is skipped. Cached: reading takes 20 ms."""
    import ssl

    import certifi

    variable, value = ("SSL_CERT_FILE", file) if file else ("SSL_CERT_DIR", folder)
    try:
        if file:
            return ssl.create_default_context(cafile=file)
        if folder:
            list(Path(folder).iterdir())  # OpenSSL itself says nothing of a folder that it cannot read
            return ssl.create_default_context(capath=folder)
        return ssl.create_default_context(cafile=certifi.where())
    except ssl.SSLError as error:
        raise EnvironmentUnusable([of_environment(variable, f"{value} holds no certificate in PEM form")]) from error
    except OSError as error:
        raise EnvironmentUnusable([of_environment(variable, f"{value} cannot be used: {error.strerror}")]) from error
