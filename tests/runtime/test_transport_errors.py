"""Why a connection failed, in words; never a type's name, never nothing."""

import errno
import socket
import ssl

import httpx
import pytest
import trio

from monitor.runtime.transport_errors import trouble


def caused(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (httpx.ReadTimeout(""), "it gave no answer in time"),
        (caused(httpx.ReadTimeout(""), trio.TooSlowError()), "it gave no answer in time"),
        (trio.TooSlowError(), "it gave no answer in time"),
        (TimeoutError(), "it gave no answer in time"),
        (httpx.RemoteProtocolError("Server disconnected without sending a response."), "Server disconnected"),
        (caused(httpx.ConnectError("All connection attempts failed"), ConnectionRefusedError(111, "x")), "it refuses"),
        (ExceptionGroup("several", [OSError(errno.ENETUNREACH, "Network is unreachable")]), "Network is unreachable"),
        (socket.gaierror(-2, "Name or service not known"), "its name cannot be resolved"),
        (ssl.SSLCertVerificationError(1, "self-signed certificate"), "no trusted TLS connection"),
        (ConnectionResetError(), "the connection was cut"),
        (ValueError("odd \x1b]0;x\x07"), "odd \ufffd]0;x\ufffd"),
        (RuntimeError(), "the connection failed"),
        (OSError(errno.EPROTO, ""), "Protocol error"),
        (caused(OSError(0, ""), ConnectionRefusedError(111, "x")), "it refuses"),
    ],
)
def test_each_error_is_a_sentence(error: BaseException, said: str) -> None:
    words = trouble(error)
    assert said in words
    assert "Error" not in words
    assert "(" not in words
    assert words.strip()


def test_a_text_that_may_hold_the_address_is_left_out() -> None:
    assert trouble(ValueError("wss://host/?ticket=secret"), quote=False) == "the connection failed"
