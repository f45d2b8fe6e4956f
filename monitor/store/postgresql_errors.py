"""Explains PostgreSQL's errors to people, and tells a server that cannot be reached now from everything else."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg

from monitor.runtime.errors import StoreError, StoreUnreachable
from monitor.runtime.postgresql_address import PostgresqlAddress
from monitor.store.postgresql_refusal import refusal_code

_MEANING: Final = {
    "57014": "took too long to answer; is the server overloaded?{again}",
    "55P03": "is locked by another program{again}; if it lasts, see pg_locks",
    "53100": "cannot grow because the server's disk is full; free some space{again}; nothing stored is lost",
    "25006": "cannot be written: the server is read-only; is it a standby? Point `store` at the primary",
    "42501": "may not be used: {said}; the user has to own the database, or the schema routee_monitor in it",
}
"""What the server's error codes mean for people."""
_LOST: Final = "cannot be reached: {said}{again}"
NOT_OPENED: Final = "cannot be opened: {said}{hint}{again}"
"""Such an error has no code: the driver gives only the server's words."""
_LET_IN: Final = "; are user, password and database right?"
_REACHED: Final = "; is the server running, and is the address right?"
"""What to look at where the server does not let somebody in, and where it cannot be reached."""
_ASKED_ALREADY: Final = re.compile(r"\s*Is the server running [^?]*\?")
"""The driver's own words for the latter."""
_CLASSES: Final = {
    "08": _LOST,
    "57": _LOST,
    "53": "has not enough resources: {said}{again}",
    "54": "cannot hold what was to be written: {said}",
    "XX": "reports an error of its own: {said}; see the server's log",
}
"""What the first two characters of other codes mean."""

_AWAY: Final = ("08", "57P01", "57P02", "57P03", "53", "55P03", "57014")
"""How codes begin of a server that is stopped, is starting, lacks a resource, or has taken too long, maybe for what another one was doing."""
_BY_THE_SERVER: Final = ":  "
"""Two spaces: the driver writes them only between an error's severity and the server's words, in every language."""
_FULL: Final = ("too many", "slots")
"""Words of a server that has no room for this user or database; the code of that comes only to who has logged in."""
_SETTLED: Final = ("SSL", "certificate", "password", "authentication")
"""Words of the driver's own errors that stay until a person does something."""


@contextmanager
def explained(address: PostgresqlAddress, without_code: str = _LOST, *, tries_again: bool = False) -> Iterator[None]:
    """Turns PostgreSQL's errors into StoreError, or StoreUnreachable, with a sentence for people.

    The rows that an error concerns are not shown. ``without_code`` is the sentence for errors of the connection that have no code;
    ``tries_again``: the caller does, and the sentence says so, except of what stays until a person does something.
    """
    try:
        yield
    except psycopg.Error as error:
        is_away = _is_away(error)
        kind = StoreUnreachable if is_away else StoreError
        again = tries_again and (is_away or bool(error.sqlstate))
        hint = _hint(error, is_away)
        raise kind(f"the store {address} {_sentence(error, without_code, hint, again)}") from None


def _hint(error: psycopg.Error, is_away: bool) -> str:
    """Returns what to look at where a connection cannot be opened."""
    if not is_away:
        return _LET_IN
    return "" if _BY_THE_SERVER in str(error) else _REACHED


def _sentence(error: psycopg.Error, without_code: str, hint: str, again: bool) -> str:
    code = error.sqlstate or ""
    said = " ".join(_ASKED_ALREADY.sub("", error.diag.message_primary or str(error)).split())
    usual = without_code if isinstance(error, psycopg.OperationalError) and not code else "cannot be used: {said}"
    text = _MEANING.get(code, _CLASSES.get(code[:2], usual))
    return text.format(said=said, hint=hint, again="; the daemon tries again" if again else "")


def _is_away(error: psycopg.Error) -> bool:
    if error.sqlstate:
        return error.sqlstate.startswith(_AWAY)
    said = str(error)
    if not isinstance(error, psycopg.OperationalError):
        return False
    if _BY_THE_SERVER in said:
        return any(words in said for words in _FULL) or _refusal(error).startswith(_AWAY)
    return not any(words in said for words in _SETTLED)


def _refusal(error: psycopg.Error) -> str:
    """Returns the code with which the server refuses new sessions at once; empty if it does not."""
    asked = error.pgconn
    if asked is None:
        return ""
    host = asked.hostaddr or asked.host
    return refusal_code(host.decode(), int(asked.port or 0), asked.user.decode(), asked.db.decode())
