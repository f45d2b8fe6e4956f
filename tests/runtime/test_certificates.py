"""How the certificates that outgoing connections trust are read."""

import os
import ssl
from pathlib import Path
from threading import Timer

import certifi
import trio

from monitor.runtime.certificates import read_beside, trust


async def test_other_tasks_go_on_while_certificates_are_read(tmp_path, monkeypatch):
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
