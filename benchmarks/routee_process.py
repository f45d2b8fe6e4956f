"""Runs the local Routee in a process of its own, so that it does not affect the time and memory that are measured."""

import functools
import os
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trio
import trustme

from benchmarks.messages import SPAN
from monitor.ingest.routee.client import Routee
from monitor.runtime.clock import Clock, SystemClock
from monitor.simulation.sandbox import DEFAULT_CREDENTIALS, run_sandbox


@contextmanager
def routee_with(messages: int, rate: float = 0, tls: Path | None = None) -> Iterator[str]:
    """Serves that many messages of the last six days, to which ``rate`` a minute are added; yields the URL.

    With the folder ``tls`` it speaks HTTPS and compresses with gzip, and writes the certificate of its authority to ``ca.pem`` there.
    """
    asked = [str(messages), str(rate), *([str(tls)] if tls else [])]
    command = [sys.executable, "-m", "benchmarks.routee_process", *asked]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def client(url: str, clock: Clock | None = None) -> Routee:
    """Yields the program's own client, without a limit on requests a second."""
    name, secret = DEFAULT_CREDENTIALS
    return Routee(
        name="main",
        application_id=name,
        application_secret=secret,
        clock=clock or SystemClock(),
        api_url=url,
        auth_url=url,
        requests_per_second=1e6,
    )


async def _serve(messages: int, rate: float, tls: Path | None) -> None:
    async with trio.open_nursery() as nursery:
        serving = functools.partial(run_sandbox, rate=rate, history=SPAN, messages=messages, gzip=tls is not None)
        url, _ = await nursery.start(serving)
        if tls is not None:
            port = int(url.rpartition(":")[2])
            listeners = await nursery.start(_serve_tls, port, tls)
            url = f"https://127.0.0.1:{listeners[0].transport_listener.socket.getsockname()[1]}"
        print(url, flush=True)


async def _serve_tls(
    port: int,
    folder: Path,
    *,
    task_status: "trio.TaskStatus[list[trio.SSLListener[trio.SocketStream]]]" = trio.TASK_STATUS_IGNORED,
) -> None:
    """Takes TLS connections, and passes what comes to the plain port."""
    authority, context = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    authority.issue_cert("127.0.0.1").configure_cert(context)

    async def connected(stream: "trio.SSLStream[trio.SocketStream]") -> None:
        async with stream, await trio.open_tcp_stream("127.0.0.1", port) as plain, trio.open_nursery() as nursery:
            nursery.start_soon(_pass_on, stream, plain, nursery.cancel_scope)
            nursery.start_soon(_pass_on, plain, stream, nursery.cancel_scope)

    await trio.serve_ssl_over_tcp(connected, 0, context, host="127.0.0.1", task_status=task_status)


async def _pass_on(source: trio.abc.ReceiveStream, target: trio.abc.SendStream, scope: trio.CancelScope) -> None:
    """Passes on everything until either side closes, which ends both directions."""
    try:
        while data := await source.receive_some(262_144):
            await target.send_all(data)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass  # the client went away
    scope.cancel()


@contextmanager
def served(messages: int, *, encrypted: bool) -> Iterator[str]:
    """Serves messages from another process; where ``encrypted``, with TLS, which this process trusts, and gzip. Yields the URL."""
    with tempfile.TemporaryDirectory() as name, routee_with(messages, tls=Path(name) if encrypted else None) as url:
        if encrypted:
            os.environ["SSL_CERT_FILE"] = str(Path(name) / "ca.pem")
        try:
            yield url
        finally:
            os.environ.pop("SSL_CERT_FILE", None)


if __name__ == "__main__":
    trio.run(_serve, int(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None)
