"""Sends several statements to PostgreSQL without waiting in between, so that they take one round trip together."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, TypeAlias

import psycopg

from monitor.runtime.clock import MILLISECOND
from monitor.store.postgresql_connection import BoundedConnection, PostgresqlLimits

Answer: TypeAlias = "psycopg.Cursor[tuple[Any, ...]]"
"""What a statement gave: its rows, and how many it changed."""


class Statement(NamedTuple):
    """A statement with its values. ``prepare``: the driver may have it prepared once it has come a few times."""

    text: str
    values: Any = ()
    prepare: bool = True


BEGIN: Final = Statement("BEGIN", prepare=False)
BEGIN_READING: Final = Statement("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", prepare=False)
"""Begins a transaction that sees one moment and cannot write."""
COMMIT: Final = Statement("COMMIT", prepare=False)


@contextmanager
def pipelined(connection: BoundedConnection) -> Iterator[None]:
    """Statements that are executed in the block are sent at once; what they give is there after the block.

    One that fails has all later ones skipped. Raises its error, at the end of the block at the latest. Without a BEGIN before them or
    among them they are one transaction.
    """
    failed: psycopg.Error | None = None
    try:
        with connection.pipeline():
            try:
                yield
            except psycopg.Error as error:  # the driver would log it if the pipeline's end fails because of it
                failed = error
    except psycopg.Error as error:
        failed = failed or error
    if failed is not None:
        connection.forget_prepared()
        raise failed from None


def run_at_once(connection: BoundedConnection, statements: Sequence[Statement]) -> list[Answer]:
    """Runs statements in one round trip (see `pipelined`). Returns what each one gave. Raises psycopg's errors."""
    found = []
    with pipelined(connection):
        for one in statements:
            prepare = None if one.prepare else False
            found.append(connection.execute(one.text.encode(), one.values, binary=True, prepare=prepare))
            answer_now(connection)
    return found


def answer_now(connection: BoundedConnection) -> None:
    """Has the server send the answers to what was sent so far: otherwise a long row of statements would look like a silent server."""
    connection.pgconn.send_flush_request()


def transfer_time(limits: PostgresqlLimits) -> Statement:
    """Returns the statement that lets those of the present transaction move many bytes: the server counts what it waits for them as their time."""
    most = str(max(limits.statement, limits.transfer) // MILLISECOND)
    return Statement("SELECT set_config('statement_timeout', %s, true)", (most,))
