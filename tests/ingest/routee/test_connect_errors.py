"""The outcome in the metrics and the sentence for a connection to Routee that could not be made."""

import errno
import socket
import ssl

import httpx
import pytest
import trio

from monitor.ingest.routee.transport_errors import unreachable


@pytest.mark.parametrize(
    ("cause", "outcome", "why"),
    [
        (socket.gaierror(-2, "Name or service not known"), "dns", "its name cannot be resolved"),
        (ssl.SSLCertVerificationError(1, "self-signed certificate"), "tls", "no trusted TLS connection"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), "refused", "it refuses the connection"),
        (ConnectionResetError(errno.ECONNRESET, "x"), "unreachable", "the connection was cut"),
        (BrokenPipeError(errno.EPIPE, "x"), "unreachable", "the connection was cut"),
        (TimeoutError(errno.ETIMEDOUT, "x"), "unreachable", "it gave no answer in time"),
        (trio.TooSlowError(), "unreachable", "it gave no answer in time"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "unreachable", "Network is unreachable"),
        (OSError(0, ""), "unreachable", "it cannot be reached"),
        (None, "unreachable", "it cannot be reached"),
    ],
)
def test_the_outcome_says_which_part_of_the_way_is_broken(cause: Exception | None, outcome: str, why: str) -> None:
    error = httpx.ConnectError("All connection attempts failed")
    error.__cause__ = cause
    word, sentence = unreachable(error, "sms.example.org")
    assert word == outcome
    assert sentence.startswith(f"no connection to sms.example.org: {why}")
