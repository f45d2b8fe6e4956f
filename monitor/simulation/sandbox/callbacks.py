"""Pushes each change of status to a URL, and the state of each campaign that goes on, as Routee does: an answer other than 200 is tried again.

A change that a message makes and leaves again within a `TICK` is not pushed: only the status at its end is.
"""

from collections import Counter
from typing import Any, Final
from urllib.parse import urlsplit

import h11
import msgspec
import trio

from monitor.runtime.clock import MILLISECOND, SECOND, Duration, Instant
from monitor.simulation.sandbox.api import campaign_record
from monitor.simulation.sandbox.malformed_records import Record
from monitor.simulation.sandbox.state import Sandbox

TICK: Final[Duration] = 200 * MILLISECOND
"""How often it looks for changes, by the sandbox's clock."""
CAMPAIGNS_EVERY: Final[Duration] = 5 * SECOND
TRIES: Final = 5
CONNECTIONS: Final = 8
ANSWER_SECONDS: Final = 10.0
MOST_WAITING: Final = 100_000
"""The most callbacks that wait to be sent; further ones are lost, as after five tries."""


class CallbackPusher:
    """Pushes what changes in one sandbox to ``url``. ``outcomes`` counts callbacks that were ``taken`` or ``lost``, and ``tries``."""

    def __init__(self, sandbox: Sandbox, url: str, *, pause: float = 1.0) -> None:
        """``pause`` is the wait before the second try in seconds; each further one is twice as long. Raises ValueError for an unusable URL."""
        address = urlsplit(url)
        if address.scheme != "http" or not address.hostname:
            raise ValueError(
                "the address of callbacks should be like http://127.0.0.1:9465/callbacks/routee/main?secret=…"
            )
        self.outcomes: Counter[str] = Counter()
        self._sandbox, self._pause = sandbox, pause
        self._address = address.hostname, address.port or 80
        self._target = (address.path or "/") + (f"?{address.query}" if address.query else "")
        self._host = address.netloc.rpartition("@")[2]
        self._campaigns: dict[str, Instant] = {}

    async def run(self) -> None:
        """Pushes until it is cancelled."""
        waiting, sending = trio.open_memory_channel[Record](MOST_WAITING)
        async with trio.open_nursery() as nursery:
            for _ in range(CONNECTIONS):
                nursery.start_soon(self._send_all, sending, name="callbacks: a connection")
            since = self._sandbox.advance()
            while True:
                await self._sandbox.sleep(TICK)
                now = self._sandbox.advance()
                for record in self._changed(since, now):
                    try:
                        waiting.send_nowait(record)
                    except trio.WouldBlock:
                        self.outcomes["lost"] += 1
                since = now

    def _changed(self, since: Instant, now: Instant) -> list[Record]:
        """Returns what is pushed of the changes after ``since``."""
        records = [msgspec.json.decode(one, type=dict[str, Any]) for one in self._sandbox.changed(since, now)]
        running = {str(one["campaignTrackingId"]) for one in records if one.get("campaignTrackingId")}
        due = [name for name in running if now - self._campaigns.get(name, -CAMPAIGNS_EVERY) >= CAMPAIGNS_EVERY]
        self._campaigns |= dict.fromkeys(due, now)
        return [
            *map(pushed_part, records),
            *(pushed_campaign(campaign_record(self._sandbox, name, now)) for name in due),
        ]

    async def _send_all(self, waiting: "trio.MemoryReceiveChannel[Record]") -> None:
        client = _Client(*self._address)
        try:
            async for record in waiting.clone():
                self.outcomes["taken" if await self._send(client, msgspec.json.encode(record)) else "lost"] += 1
        finally:
            await client.close()

    async def _send(self, client: "_Client", body: bytes) -> bool:
        """Tries up to `TRIES` times; returns whether the callback was taken."""
        for number in range(TRIES):
            if number:
                await trio.sleep(self._pause * 2 ** (number - 1))
            self.outcomes["tries"] += 1
            if await client.post(self._target, self._host, body) == 200:
                return True
        return False


class _Client:
    """One connection, opened when it is needed."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._stream: trio.SocketStream | None = None
        self._connection = h11.Connection(h11.CLIENT)

    async def post(self, target: str, host: str, body: bytes) -> int:
        """Returns the status of the answer; 0 without one."""
        try:
            with trio.fail_after(ANSWER_SECONDS):
                return await self._post(target, host, body)
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError, h11.ProtocolError):
            await self.close()
            return 0

    async def _post(self, target: str, host: str, body: bytes) -> int:
        if self._stream is None:
            self._stream = await trio.open_tcp_stream(self._host, self._port)
            self._connection = h11.Connection(h11.CLIENT)
        headers = [("Host", host), ("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        request = h11.Request(method="POST", target=target, headers=headers)
        events = (request, h11.Data(body), h11.EndOfMessage())
        await self._stream.send_all(b"".join(self._connection.send(one) or b"" for one in events))
        status = 0
        while not isinstance(event := await self._event(self._stream), h11.EndOfMessage):
            status = event.status_code if isinstance(event, h11.Response) else status
        if self._connection.our_state is h11.DONE and self._connection.their_state is h11.DONE:
            self._connection.start_next_cycle()
        else:
            await self.close()
        return status

    async def _event(self, stream: trio.SocketStream) -> h11.Event:
        while True:
            event = self._connection.next_event()
            if event is h11.NEED_DATA:
                self._connection.receive_data(await stream.receive_some())
            elif isinstance(event, h11.ConnectionClosed) or not isinstance(event, h11.Event):
                raise trio.BrokenResourceError("the other side has closed")
            else:
                return event

    async def close(self) -> None:
        """Closes the connection at once."""
        if self._stream is not None:
            await trio.aclose_forcefully(self._stream)
        self._stream = None


def pushed_part(record: Record) -> Record:
    """Returns a record of a search as it is pushed: with three fields renamed."""
    pushed = {name: value for name, value in record.items() if name not in ("status", "body")}
    if "body" in record:
        pushed["message"] = record["body"]
    status = record.get("status")
    if isinstance(status, dict):
        renamed = {"status": "name", "date": "updatedDate"}
        pushed["status"] = {renamed.get(name, name): value for name, value in status.items()}
    elif "status" in record:
        pushed["status"] = status
    return pushed


def pushed_campaign(state: Record) -> Record:
    """Returns a campaign's state as it is pushed."""
    analysis = state.get("smsAnalysis")
    return {
        "trackingId": state.get("trackingId"),
        "name": state.get("campaignName"),
        "totalRecipients": analysis.get("numberOfRecipients") if isinstance(analysis, dict) else None,
        "campaignStatus": state.get("state"),
        "messageStatuses": state.get("statuses"),
    }
