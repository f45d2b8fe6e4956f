"""Sends several statements to PostgreSQL without waiting in between, so that they take one round trip together."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeAlias

import psycopg

from monitor.store.postgresql_connection import BoundedConnection

Answer: TypeAlias = "psycopg.Cursor[tuple[Any, ...]]"
"""What a statement gave: its rows, and how many it changed."""


class Statement(NamedTuple):
    """A statement with its values."""

    text: str
    values: Any = ()


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
        raise failed or error from None
    if failed is not None:
        raise failed


def run_at_once(connection: BoundedConnection, statements: Sequence[Statement]) -> list[Answer]:
    """Runs statements in one round trip (see `pipelined`). Returns what each one gave. Raises psycopg's errors."""
    found = []
    with pipelined(connection):
        for one in statements:
            found.append(connection.execute(one.text.encode(), one.values, binary=True))
            answer_now(connection)
    return found


def answer_now(connection: BoundedConnection) -> None:
    """Has the server send the answers to what was sent so far: otherwise a long row of statements would look like a silent server."""
    connection.pgconn.send_flush_request()
