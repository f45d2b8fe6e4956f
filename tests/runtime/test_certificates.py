"""How the certificates that outgoing connections trust are read: before the first connection needs them, and beside other tasks."""

import os
import ssl
from pathlib import Path
from threading import Timer

import certifi
import pytest
import trio

from monitor.runtime.certificates import read_ahead, read_beside, trust, trusted


def test_certificates_are_read_once_and_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    trusted.cache_clear()
    read_ahead().join(60)
    assert trusted.cache_info().misses == 1
    assert trust().cert_store_stats()["x509_ca"] > 50
    assert trusted.cache_info().misses == 1


def test_what_the_environment_chooses_is_left_to_those_who_report_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent.pem")
    trusted.cache_clear()
    read_ahead().join(60)
    assert trusted.cache_info().misses == 0


async def test_other_tasks_go_on_while_certificates_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is a pipe: who reads it waits until another task has written, and each that reads needs a writer."""
    pipe = tmp_path / "roots.pem"
    os.mkfifo(pipe)
    monkeypatch.setenv("SSL_CERT_FILE", str(pipe))
    roots = Path(certifi.where()).read_bytes()
    end = Timer(20, pipe.write_bytes, [b""])  # of nothing, which is an error, where no other task can write
    end.start()
    try:
        async with trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(read_beside)
                await trio.testing.wait_all_tasks_blocked()
            await trio.to_thread.run_sync(pipe.write_bytes, roots)
    finally:
        end.cancel()
    assert isinstance(trust(), ssl.SSLContext)
