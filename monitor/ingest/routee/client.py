"""The client of Routee's API for one account, and the only module here that uses httpx.

A request gets a token (`token`), waits for one of ``concurrency`` slots and for the account's rate limit (`rate_limit`), is sent, and its
status is checked (`response`) and its body decoded (`decode`, `wire`, `answers`). After a failure that may be temporary, these steps are
repeated (`retry`).
"""

import base64
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from types import TracebackType
from typing import Final, Self, TypeVar

import httpx
import trio

from monitor.ingest.routee.answers import Token, decode_balance, decode_campaign_state, decode_token
from monitor.ingest.routee.decode import Decode, decoder_of_page, decoder_of_parts, usual
from monitor.ingest.routee.decompress import LARGEST_BODY, Damaged, TooLarge, unpacked
from monitor.ingest.routee.endpoints import Call, Endpoints
from monitor.ingest.routee.rate_limit import Paused, Steady, TokenBucket
from monitor.ingest.routee.response import RouteeResponse, Unauthorised, checked_body, without
from monitor.ingest.routee.retry import Attempts, Failed, RetryPolicy, TryAgain, ignore_failure, retried
from monitor.ingest.routee.token import Tokens
from monitor.ingest.routee.transport_errors import detail_of, unreachable
from monitor.ingest.routee.wire import Malformed
from monitor.ingest.routee.worker_thread import in_worker
from monitor.model.routee_query import PAGE_SIZE, AccountBalance, CampaignState, Page, RouteeQuery
from monitor.runtime.bounded_transport import bounded_transport
from monitor.runtime.certificates import trust
from monitor.runtime.clock import SECOND, Clock, Duration, Instant
from monitor.runtime.errors import RouteeError, RouteeRefused, RouteeRejected, RouteeUnavailable
from monitor.runtime.proxies import proxies
from monitor.runtime.retry_after import http_date
from monitor.runtime.transport_errors import trouble

API_URL: Final = "https://connect.routee.net"
AUTH_URL: Final = "https://auth.routee.net"

Observer = Callable[[str, str, float], None]
"""Is called after each request with the endpoint, the outcome (``ok``, ``429``, ``timeout``, …) and the duration in seconds."""

Result = TypeVar("Result")

log = logging.getLogger("monitor")

_PATIENCE: Final = RetryPolicy()

# httpx writes each full URL at INFO, httpcore the headers of answers at DEBUG.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class Routee:
    """The API of one account; use it as ``async with Routee(...) as routee``. Every method that sends a request raises RouteeError:

    RouteeUnavailable after all retries failed, RouteeRefused if Routee does not accept the credentials or permissions,
    RouteeRejected if the request was wrong (unknown campaign or message).
    """

    def __init__(
        self,
        *,
        name: str,
        application_id: str,
        application_secret: str,
        clock: Clock,
        api_url: str = API_URL,
        auth_url: str = AUTH_URL,
        requests_per_second: float = 5.0,
        concurrency: int = 4,
        observe: Observer = lambda endpoint, outcome, seconds: None,
        retry_policy: RetryPolicy = _PATIENCE,
        chance: random.Random | None = None,
    ) -> None:
        self.name = name
        self._endpoints = Endpoints(api_url, auth_url)
        self._secrets = (application_secret, application_id)
        self._basic = "Basic " + base64.b64encode(f"{application_id}:{application_secret}".encode()).decode()
        self._clock = clock
        self._steady = Steady(clock)
        self._observe = observe
        self._retry_policy = retry_policy
        self._chance = chance or random.SystemRandom()
        self._slots = trio.CapacityLimiter(concurrency)
        self._pace = TokenBucket(requests_per_second, self._steady)
        self._tokens = Tokens(self._fetch_token, self._steady)
        self._http = ConnectionPool(concurrency, (api_url, auth_url))
        self._asking: list[Failed] = []

    def __repr__(self) -> str:
        return f"Routee({self.name!r})"

    async def __aenter__(self) -> Self:
        self._http.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close()

    async def search(
        self,
        question: RouteeQuery,
        start: Instant,
        end: Instant,
        *,
        page: int = 0,
        size: int = PAGE_SIZE,
        failed: Failed = ignore_failure,
    ) -> Page:
        """Returns page ``page`` (from 0) of the messages between the instants, which Routee keeps for 7 days. ``failed`` gets each failed
        try."""
        call = self._endpoints.search(question, start, end, page, size)
        self._asking.append(failed)
        try:
            now = self._clock.now()
            return await self._ask(call, decoder_of_page(now, page, size), failed)
        finally:
            self._asking.remove(failed)

    async def single(self, message_id: str) -> Page:
        """Returns all parts of one message."""
        return await self._ask(self._endpoints.single(message_id), decoder_of_parts())

    async def campaign(self, tracking_id: str, *, page: int = 0, size: int = PAGE_SIZE) -> Page:
        """Returns page ``page`` (from 0) of a campaign's messages of any age."""
        call = self._endpoints.campaign(tracking_id, page, size)
        now = self._clock.now()
        return await self._ask(call, decoder_of_page(now, page, size))

    async def campaign_state(self, tracking_id: str) -> CampaignState:
        """Returns Routee's state of a whole campaign."""
        call = self._endpoints.campaign_state(tracking_id)
        return await self._ask(call, usual(lambda body: decode_campaign_state(body, tracking_id)))

    async def balance(self) -> AccountBalance:
        """Returns the account's balance."""
        return await self._ask(self._endpoints.balance(), usual(decode_balance))

    async def check(self) -> None:
        """Checks that Routee answers and accepts the credentials."""
        await self._tokens.get()

    async def _fetch_token(self) -> Token:
        call = self._endpoints.token()
        try:
            return await self._retried(
                lambda attempts_so_far: self._attempt(call, usual(decode_token), self._basic, attempts_so_far),
                self._token_failed,
            )
        except (Unauthorised, RouteeRejected) as failure:
            raise RouteeRefused(
                f"account {self.name}: Routee does not accept the credentials ({failure}): "
                "check application_id, application_secret and auth_url",
                failure.outcome,
            ) from failure

    def _token_failed(self, outcome: str, sentence: str) -> None:
        """Reports a failed request for a token to the waiting searches. A callback that several of them share is called once."""
        for failed in dict.fromkeys(self._asking):
            failed(outcome, sentence)

    async def _ask(self, call: Call, decode: Decode[Result], failed: Failed = ignore_failure) -> Result:
        return await self._retried(lambda attempts_so_far: self._authorised(call, decode, attempts_so_far), failed)

    async def _retried(self, attempt: Callable[[Attempts], Awaitable[Result]], failed: Failed) -> Result:
        return await retried(attempt, self._retry_policy, self._steady, self._chance, failed)

    async def _authorised(self, call: Call, decode: Decode[Result], attempts_so_far: Attempts) -> Result:
        """Sends a request with the token, and once more with a new token if that one is refused. Raises RouteeRefused if the new one is
        refused too."""
        token = await self._tokens.get()
        try:
            return await self._attempt(call, decode, f"Bearer {token.value}", attempts_so_far)
        except Unauthorised:
            token = await self._tokens.get_newer(token)
        try:
            return await self._attempt(call, decode, f"Bearer {token.value}", attempts_so_far)
        except Unauthorised as failure:
            raise RouteeRefused(
                f"account {self.name}: Routee accepts the credentials, but not for {call.endpoint} ({failure}): "
                "check the application's permissions",
                failure.outcome,
            ) from failure

    async def _attempt(
        self, call: Call, decode: Decode[Result], authorisation: str, attempts_so_far: Attempts
    ) -> Result:
        """Sends a request when a slot is free and the rate limit allows it. Raises TryAgain, Unauthorised or RouteeError."""
        async with self._slots:
            try:
                await self._pace.take(attempts_so_far.left())
            except Paused as pause:
                sentence = f"Routee asked for a pause; {pause.wait / SECOND:.0f} s are left"
                raise TryAgain("429", sentence, pause.wait) from pause
            attempts_so_far.begin()
            return await self._observed(call, decode, authorisation, attempts_so_far.timeout())

    async def _observed(self, call: Call, decode: Decode[Result], authorisation: str, seconds: float) -> Result:
        began, outcome, status, messages = trio.current_time(), "cancelled", 0, 0
        try:
            answer = await self._http.exchange(call, authorisation, seconds)
            status = answer.status
            answer = without(answer, (*self._secrets, authorisation.partition(" ")[2]))
            result = await _decoded(decode, checked_body(answer, call.host, self._clock.now()), call.host)
            outcome = "ok"
            messages = len(result.batch) if isinstance(result, Page) else 0
            self._listen(answer, round((trio.current_time() - began) * SECOND))
        except (TryAgain, Unauthorised, RouteeError) as failure:
            outcome = failure.outcome
            if isinstance(failure, TryAgain) and outcome == "429" and failure.wait:
                self._pace.pause(failure.wait)
            raise
        finally:
            took = trio.current_time() - began
            self._observe(call.endpoint, outcome, took)
            if log.isEnabledFor(logging.DEBUG):
                self._log(call, outcome, status, messages, took)
        return result

    def _log(self, call: Call, outcome: str, status: int, messages: int, seconds: float) -> None:
        """Logs a request, without its parameters, which may name recipients."""
        log.debug(
            "asked Routee for account %s: %s %s: %s, status %s, %d messages, %.0f ms",
            *(self.name, call.method, call.path, outcome, status or "none", messages, seconds * 1000),
            extra={"account": self.name, "endpoint": call.endpoint},
        )

    def _listen(self, answer: RouteeResponse, took: Duration) -> None:
        """Passes the Date of a good answer, which ``took`` so long, to the clock. Other answers may come from a proxy."""
        date = http_date(answer.date) if answer.date else None
        if date is not None:
            self._clock.heard(date, took)


_LARGE_PACKED: Final = 64 * 1024
"""The largest compressed answer in bytes that is unpacked in the event loop."""


async def _decoded(decode: Decode[Result], body: bytes, host: str) -> Result:
    try:
        return await decode(body)
    except Malformed as error:
        raise TryAgain("malformed", f"{host} gives an unusable answer: {error}") from error


class ConnectionPool:
    """The connections of one account, at most ``connections``. Callers must limit their concurrent requests to as many, so that no request
    waits in the pool."""

    def __init__(self, connections: int, urls: tuple[str, ...] = ()) -> None:
        self._urls = urls
        self._limits = httpx.Limits(
            max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=45
        )
        self._client: httpx.AsyncClient | None = None

    def open(self) -> None:
        """Creates the HTTP client without connecting. Raises EnvironmentUnusable: proxies and certificates come from the environment."""
        headers = {"User-Agent": "routee-monitor", "Accept": "application/json", "Accept-Encoding": "gzip"}
        around = proxies()
        through = {url: proxy for url in self._urls if (proxy := around.of(url)) is not None}
        transports = {proxy: bounded_transport(trust(), proxy, limits=self._limits) for proxy in through.values()}
        self._proxied = bool(through)
        self._client = httpx.AsyncClient(
            transport=bounded_transport(trust(), limits=self._limits),
            trust_env=False,
            follow_redirects=False,
            headers=headers,
            mounts={_origin(url): transports[proxy] for url, proxy in through.items()},
        )

    async def close(self) -> None:
        """Closes all connections, even while the task is being cancelled."""
        client, self._client = self._client, None
        if client is not None:
            with trio.move_on_after(2, shield=True):
                await client.aclose()

    async def exchange(self, call: Call, authorisation: str, seconds: float) -> RouteeResponse:
        """Sends a request and reads its answer within ``seconds``. Raises TryAgain or RouteeUnavailable."""
        client = self._client
        if client is None:
            raise RuntimeError("the client is used outside of `async with`")
        try:
            # httpx limits each read and write; only this limits an answer that arrives in many small pieces.
            with trio.fail_after(seconds):
                answer, encoding = await _exchange(client, call, authorisation, seconds)
        except trio.TooSlowError as error:
            raise TryAgain("timeout", f"{call.host} gave no complete answer within {seconds:g} s") from error
        except httpx.PoolTimeout as error:
            # A slot was free but no connection: a cancelled request has lost one for good (encode/httpcore#1093). Open
            # a new client, unless another task already has.
            if self._client is client:
                self.open()
                await client.aclose()
            raise TryAgain("pool", "connections were lost to cancelled requests; all are opened again") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _failure(error, call.host, self._proxied) from error
        # Unpacking does not count towards Routee's time: the thread may be busy with other answers.
        return replace(answer, body=await _unpacked(answer.body, encoding, call.host))


async def _exchange(
    client: httpx.AsyncClient, call: Call, authorisation: str, seconds: float
) -> tuple[RouteeResponse, str]:
    """Returns the raw answer and the encoding of its body."""
    headers = {"Content-Type": call.content_type} if call.content else {}
    request = client.build_request(
        call.method,
        call.url,
        params=call.params,
        content=call.content,
        headers=headers | {"Authorization": authorisation},
        timeout=httpx.Timeout(seconds, pool=min(seconds, _POOL_TIMEOUT)),
    )
    request.stream = _Content(call.content or b"")
    answer = await client.send(request, stream=True)
    try:
        body = await _body(answer, call.host)
    finally:
        await answer.aclose()
    found = answer.headers
    read = RouteeResponse(
        answer.status_code, body, found.get("content-type", ""), found.get("retry-after"), found.get("date")
    )
    return read, found.get("content-encoding", "")


_POOL_TIMEOUT = 2.0
_CHUNKS_AT_ONCE: Final = 50
"""The pieces of a body that are taken before other tasks have their turn."""


class _Content(httpx.AsyncByteStream):
    """A request's body. httpx's own class is an asynchronous generator, which a cancelled request would leave unclosed."""

    def __init__(self, content: bytes) -> None:
        self._chunks = iter((content,))

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        for chunk in self._chunks:
            return chunk
        raise StopAsyncIteration


async def _body(answer: httpx.Response, host: str) -> bytes:
    """Returns the whole compressed body. Raises RouteeUnavailable if it is too large. httpx does not unpack it, so that none of its
    generators is left unclosed."""
    chunks, size = [], 0
    with trio.CancelScope() as reading:
        async for chunk in answer.aiter_raw():
            size += len(chunk)
            chunks.append(chunk)
            if len(chunks) % _CHUNKS_AT_ONCE == 0:  # many small ones come with one read, without a pause
                await trio.lowlevel.cancel_shielded_checkpoint()  # cancelled here, the generators would stay unclosed
            if size > LARGEST_BODY:
                reading.cancel()  # ends the next read inside of httpx's generators, which closes each of them
    if size > LARGEST_BODY:
        raise _unusable(host, f"it is larger than {LARGEST_BODY >> 20} MiB")
    return b"".join(chunks)


async def _unpacked(body: bytes, encoding: str, host: str) -> bytes:
    try:
        return await in_worker(lambda packed: unpacked(packed, encoding), body, _LARGE_PACKED)
    except Damaged as error:
        raise TryAgain("malformed", f"{host} gives an unusable answer: {error}") from error
    except TooLarge as error:
        raise _unusable(host, str(error)) from error


def _unusable(host: str, why: str) -> RouteeUnavailable:
    return RouteeUnavailable(f"{host} gives an unusable answer: {why}", "malformed")


def _origin(url: str) -> str:
    """Returns the key of httpx's mounts: ``https://host:port``."""
    return str(httpx.URL(url).copy_with(raw_path=b"", fragment=None, username="", password=""))


def _failure(error: httpx.HTTPError | httpx.InvalidURL, host: str, proxied: bool) -> TryAgain | RouteeUnavailable:
    """Returns why the request failed, as the exception that says whether to retry."""
    match error:
        case httpx.ConnectTimeout():
            return TryAgain("timeout", f"{host} did not accept the connection in time: check the URL and the firewall")
        case httpx.TimeoutException():
            return TryAgain("timeout", f"{host} stopped answering: {detail_of(error)}")
        case httpx.ConnectError():
            return TryAgain(*unreachable(error, f"{host} (or the proxy before it)" if proxied else host))
        case httpx.ProxyError():
            return TryAgain("proxy", f"the environment's proxy does not let through to {host}: {detail_of(error)}")
        case httpx.NetworkError() | httpx.RemoteProtocolError():
            return TryAgain("cut", f"the connection to {host} was cut: {detail_of(error)}")
        case httpx.LocalProtocolError():  # without detail: it may quote headers, and one of them is the token
            return TryAgain("cut", f"the connection to {host} was closed while it was used")
    return RouteeUnavailable(f"{host} cannot be asked ({trouble(error)}): check the URL", "url")
