"""The address of a PostgreSQL database, as ``monitor.yaml`` and commands write it."""

from dataclasses import field, replace
from typing import Final
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from monitor.runtime.dataclass import dataclass

SCHEMES: Final = ("postgresql", "postgres")
FORM: Final = "postgresql://user@host:port/database"
SETTINGS: Final = ("host", "passfile", "sslcert", "sslkey", "sslmode", "sslrootcert")
"""The settings of libpq that may stand after the question mark."""
SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


@dataclass(frozen=True, slots=True)
class PostgresqlAddress:
    """A database and the user who logs in. ``str()`` and ``repr()`` never show the password.

    An empty host, user or password, and port None, are left to libpq, which reads the environment (``PGHOST``, ``PGPASSWORD`` …) and
    ``~/.pgpass``. ``settings`` are (name, value) of SETTINGS.
    """

    host: str
    port: int | None
    user: str
    database: str
    settings: tuple[tuple[str, str], ...] = ()
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        user = f"{quote(self.user, safe='')}@" if self.user else ""
        is_folder = self.host.startswith(("/", "@"))  # of a socket
        host = f"[{quote(self.host, safe=':')}]" if ":" in self.host and not is_folder else quote(self.host, safe="")
        port = "" if self.port is None else f":{self.port}"
        settings = "&".join(f"{name}={quote(value, safe='/')}" for name, value in self.settings)
        return f"postgresql://{user}{host}{port}/{quote(self.database, safe='')}" + (f"?{settings}" if settings else "")

    def with_password(self, password: str) -> "PostgresqlAddress":
        """Returns the address with another password."""
        return replace(self, password=password)


def is_postgresql(text: str) -> bool:
    """Returns whether ``text`` is meant as the address of a PostgreSQL database."""
    return text.partition(":")[0] in SCHEMES


def parse_postgresql(text: str) -> PostgresqlAddress:
    """Returns the address that ``text`` means. Raises ValueError; its message shows nothing of ``text``, which may hold a password."""
    try:
        parts = urlsplit(text)
        port, host = parts.port, parts.hostname or ""
    except ValueError:
        raise ValueError(f"is no address of a database: write {FORM}") from None
    database = unquote(parts.path[1:])
    if (
        parts.scheme not in SCHEMES
        or not database
        or "/" in database
        or parts.fragment
        or port == 0
        or "," in unquote(host)
    ):
        raise ValueError(
            f"is no address of a database: write {FORM}; characters like / and @ in a password have to be written as %2F and %40"
        )
    words = (host, parts.username or "", database, parts.password or "", parts.query)
    if any(not one.isprintable() for one in map(unquote, words)):
        raise ValueError(f"has characters that cannot be printed: write {FORM}")
    return PostgresqlAddress(
        unquote(host), port, unquote(parts.username or ""), database, _settings(parts), unquote(parts.password or "")
    )


def _settings(parts: SplitResult) -> tuple[tuple[str, str], ...]:
    found = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := sorted(found.keys() - set(SETTINGS)):
        said = "password must not stand there: write store_password" if "password" in unknown else "is not known there"
        name = "" if "password" in unknown else f"{unknown[0][:40]!r} "
        raise ValueError(f"{name}{said}; after the question mark can stand {', '.join(SETTINGS)}")
    if found.get("sslmode", "prefer") not in SSL_MODES:
        raise ValueError(f"sslmode is one of {', '.join(SSL_MODES)}")
    return tuple(sorted(found.items()))
