"""Serves a sandbox over HTTP/1.1, with h11 on trio's own sockets.

It uses no web framework, for two reasons: faults need direct access to the connection (to reset it in mid-body, or to send a body slowly), which
an ASGI server does not give; and a page of 2,000 messages is sent in one write, several times faster than through a framework.
"""

import socket
import struct
from dataclasses import replace
from email.utils import format_datetime
from functools import partial
from urllib.parse import parse_qsl, unquote, urlsplit

import h11
import trio

from monitor.runtime.clock import Clock, Duration, SystemClock, TrioClock, to_datetime
from monitor.simulation.sandbox.account import Credentials
from monitor.simulation.sandbox.api import bad_request, respond
from monitor.simulation.sandbox.callbacks import CallbackPusher
from monitor.simulation.sandbox.http import SandboxAnswer, SandboxRequest
from monitor.simulation.sandbox.search import SelectBy
from monitor.simulation.sandbox.state import DEFAULT_CREDENTIALS, Sandbox
from monitor.simulation.sandbox.traffic import Traffic

_READ = 65_536
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_LARGEST_BODY = 64 * 1024 * 1024


async def serve(
    sandbox: Sandbox,
    listen: str = "127.0.0.1:0",
    *,
    is_dated: bool = False,
    task_status: "trio.TaskStatus[str]" = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serves until cancelled. Answers have the Date of the sandbox's clock if ``is_dated``.

    Reports the base URL as started, which is both auth_url and api_url. Port 0 takes a free one. Raises OSError."""
    host, _, port = listen.rpartition(":")
    listeners = await trio.open_tcp_listeners(int(port), host=host.strip("[]") or "127.0.0.1")
    bound = listeners[0].socket.getsockname()[1]
    task_status.started(f"http://{host or '127.0.0.1'}:{bound}")

    async def connected(stream: trio.SocketStream) -> None:
        await _converse(sandbox, stream, is_dated=is_dated)

    await trio.serve_listeners(connected, listeners)


async def run_sandbox(
    *,
    listen: str = "127.0.0.1:0",
    seed: int = 0,
    rate: float = 600.0,
    season: float = 0.8,
    history: Duration = 0,
    messages: int | None = None,
    speed: float = 1.0,
    select_by: SelectBy = "sent",
    wild: bool = False,
    gzip: bool = False,
    credentials: Credentials = DEFAULT_CREDENTIALS,
    callbacks: str | None = None,
    task_status: "trio.TaskStatus[tuple[str, Sandbox]]" = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serves a new sandbox until cancelled; reports its base URL and its state as started.

    ``rate`` is in messages a minute of all traffic (0 for no new messages, only those of ``history``); ``season`` is how far day and night differ
    (0 for not at all); ``speed`` is how many times faster than real time its clock runs;
    ``callbacks`` is where changes of status are pushed to. The other arguments are those of `Sandbox`. Raises
    OSError if it cannot listen, and ValueError if the port of ``listen`` is no number, or ``callbacks`` no address.
    """
    start = SystemClock()
    clock: Clock = start if speed == 1 else TrioClock(start.now(), speed)
    traffic = Traffic(rate, season=season) if rate > 0 else None
    sandbox = Sandbox(
        clock,
        seed=seed,
        traffic=traffic,
        history=history,
        messages=messages,
        select_by=select_by,
        wild=wild,
        credentials=credentials,
        gzip=gzip,
    )
    pusher = None if callbacks is None else CallbackPusher(sandbox, callbacks)
    async with trio.open_nursery() as nursery:
        url: str = await nursery.start(partial(serve, is_dated=speed != 1), sandbox, listen)
        if pusher is not None:
            nursery.start_soon(pusher.run, name="callbacks")
        task_status.started((url, sandbox))


async def _converse(sandbox: Sandbox, stream: trio.SocketStream, *, is_dated: bool) -> None:
    """Handles all requests of one connection."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_READ)
    try:
        while await _exchange(sandbox, stream, connection, is_dated=is_dated):
            connection.start_next_cycle()
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass  # the client has left, or a fault has reset the connection
    finally:
        await trio.aclose_forcefully(stream)


async def _exchange(sandbox: Sandbox, stream: trio.SocketStream, connection: h11.Connection, *, is_dated: bool) -> bool:
    """Handles one request and its answer; returns False if the connection is over."""
    try:
        request = await _receive(stream, connection)
    except (h11.RemoteProtocolError, ValueError) as error:  # ValueError: the target is no URL
        if connection.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            await _send(stream, connection, bad_request(str(error)))
        return False
    if request is None:
        return False
    answer = respond(sandbox, request)
    if is_dated:  # so that a daemon says that its clock is another one
        date = format_datetime(to_datetime(sandbox.now()), usegmt=True)
        answer = replace(answer, headers=answer.headers | {"Date": date})
    await _send(stream, connection, answer)
    return connection.our_state is h11.DONE and connection.their_state is h11.DONE


async def _receive(stream: trio.SocketStream, connection: h11.Connection) -> SandboxRequest | None:
    """Returns the next request with its body; None if the client has closed."""
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await stream.receive_some(_READ))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > _LARGEST_BODY:
                raise h11.RemoteProtocolError("The body is too large")
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            return _request(head, bytes(body))
        else:
            return None


def _request(head: h11.Request, body: bytes) -> SandboxRequest:
    target = urlsplit(head.target.decode("ascii"))
    headers = {name.decode("ascii"): value.decode("latin-1") for name, value in head.headers}
    query = dict(parse_qsl(target.query, keep_blank_values=True))
    return SandboxRequest(head.method.decode("ascii"), unquote(target.path), query, headers, body)


async def _send(stream: trio.SocketStream, connection: h11.Connection, answer: SandboxAnswer) -> None:
    """Sends the answer with the timing and the cut that faults ask for."""
    answer_timing = answer.answer_timing
    if answer_timing.delay:
        await trio.sleep(answer_timing.delay)
    headers = [*answer.headers.items(), ("Content-Length", str(len(answer.body)))]
    head = connection.send(h11.Response(status_code=answer.status, headers=headers)) or b""
    connection.send_with_data_passthrough(h11.Data(answer.body))
    connection.send(h11.EndOfMessage())
    if answer_timing.cut is not None:
        await _cut(stream, head, answer.body, answer_timing.cut)
    elif answer_timing.piece:
        await stream.send_all(head)
        for start in range(0, len(answer.body), answer_timing.piece):
            await stream.send_all(answer.body[start : start + answer_timing.piece])
            await trio.sleep(answer_timing.pause)
    else:
        await stream.send_all(head + answer.body)


async def _cut(stream: trio.SocketStream, head: bytes, body: bytes, fraction: float) -> None:
    """Sends the first part of the body and resets the connection; 0 sends nothing at all."""
    if fraction > 0:
        await stream.send_all(head + body[: int(len(body) * fraction)])
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    await trio.aclose_forcefully(stream)
    raise trio.BrokenResourceError
