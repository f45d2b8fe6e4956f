"""The local Routee and the daemon's pipeline in one process and in virtual time, with polls, the store and evaluation."""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import trio
import trio.testing

from monitor.alerts.kinds import evaluate
from monitor.config.settings import Settings
from monitor.daemon.search_plan import plan_of
from monitor.ingest.poll.search_tasks import poll_search
from monitor.ingest.routee.wire import decode_page
from monitor.model.routee_query import PAGE_SIZE, Page, RouteeQuery
from monitor.runtime.clock import MINUTE, SECOND, Duration, Instant, TrioClock, iso
from monitor.runtime.errors import RouteeUnavailable
from monitor.simulation.sandbox import Sandbox
from monitor.simulation.sandbox.api import respond
from monitor.simulation.sandbox.http import SandboxRequest
from monitor.window import Query as Asked
from monitor.window import Window, WindowReader
from tests.fakes.pipeline_harness import PipelineHarness
from tests.fakes.routee import START, sms
from tests.fakes.written import settings


@dataclass
class Wire:
    """Implements Routee's search without a network: real requests to the local Routee, whose real answers are read as in the daemon."""

    sandbox: Sandbox
    requests: int = 0
    latency: float = 0.0
    down: bool = False

    async def search(
        self, question: RouteeQuery, start: Instant, end: Instant, *, page: int = 0, size: int = PAGE_SIZE
    ) -> Page:
        """See `monitor.model.routee_query.Tracking`."""
        await trio.sleep(self.latency)
        self.requests += 1
        if self.down:
            raise RouteeUnavailable("Routee answers 503", "503")
        query = {"dateStart": iso(start), "dateEnd": iso(end), "page": str(page), "size": str(size)}
        query |= {"campaign": "true"} if question.campaign else {}
        query |= {"trackingId": question.tracking_id} if question.tracking_id else {}
        named = [
            {"fieldName": one.field, "searchTerm": one.term, "searchOperator": one.operator} for one in question.filters
        ]
        now = self.sandbox.now()
        token, _ = self.sandbox.account.new_token(now)
        headers = {"authorization": f"Bearer {token}"}
        answer = respond(
            self.sandbox, SandboxRequest("POST", "/sms/tracking", query, headers, msgspec.json.encode(named))
        )
        assert answer.status == 200, answer.body
        return decode_page(answer.body, now, page)


@dataclass
class Watched:
    """A running configuration."""

    settings: Settings
    sandbox: Sandbox
    harness: PipelineHarness
    clock: TrioClock
    page_size: int = PAGE_SIZE
    wires: dict[str, Wire] = field(default_factory=dict)
    _scope: trio.CancelScope = field(default_factory=trio.CancelScope)

    @property
    def window(self) -> Window:
        """Returns the window of the account."""
        return self.harness.pipeline.accounts["main"].evaluator.window

    @property
    def requests(self) -> Counter[str]:
        """Counts the requests of each search."""
        return Counter({name: wire.requests for name, wire in self.wires.items()})

    def counts(self, *by: str, search: str | None = None) -> dict[tuple[str, ...], int]:
        """Counts the messages of each group."""
        reading, question = WindowReader(self.window), Asked(0, 1 << 62, by=by, search=search)
        tally = reading.tally(question)
        return {
            reading.labels(by, code): n for code, n in zip(tally.codes.tolist(), tally.counts.tolist(), strict=True)
        }

    def statuses(self, search: str | None = None) -> dict[str, int]:
        """Counts the messages of each status."""
        return {status: count for (status,), count in self.counts("status", search=search).items()}

    def messages(self, search: str | None = None) -> dict[str, str]:
        """Returns the status of each message, by its id."""
        reading = WindowReader(self.window)
        rows = reading.rows(Asked(0, 1 << 62, search=search))
        return {sample.message_id: sample.status for sample in reading.samples(rows, len(rows))}

    def value(self, rule: str) -> float | None:
        """Returns the present value of a rule without groups."""
        evaluator = self.harness.pipeline.accounts["main"].evaluator
        one = evaluator.rules[rule]
        span = evaluator.coverage.as_of(one)
        assert span is not None
        findings = list(evaluate(one, evaluator.input_for(one, WindowReader(evaluator.window), *span)).findings())
        return findings[0].value if findings else 0.0

    def put(self, count: int, status: str = "Queued", ago: Duration = 5 * SECOND, **fields: Any) -> list[str]:
        """Adds ``count`` messages that were sent ``ago`` before now; returns their keys."""
        at = self.clock.now() - ago
        return [self.sandbox.put(sms(status, at, **fields)) for _ in range(count)]

    def change(self, keys: list[str], status: str, ago: Duration = SECOND, **fields: Any) -> None:
        """Changes the status of messages."""
        for key in keys:
            self.sandbox.change(key, status, self.clock.now() - ago, **fields)

    async def pass_(self, duration: Duration) -> None:
        """Lets time pass."""
        await self.clock.sleep(duration)

    async def poll(self) -> None:
        """Waits until every search has polled once more and made the sweeps that were due."""
        await self.pass_(31 * SECOND)

    def stop(self) -> None:
        """Stops polling."""
        self._scope.cancel()

    async def restart(self, other: Settings | None = None) -> None:
        """Restarts as after kill -9, with ``other`` as the configuration if given: only what was committed is left."""
        self._scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        self.settings = other or self.settings
        await self.harness.restart(self.settings)
        self._nursery.start_soon(self.run)

    async def reload(self, other: Settings) -> None:
        """Reloads with ``other``, as the daemon does."""
        self._scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        self.settings = other
        await self.harness.reload(other)
        self._nursery.start_soon(self.run)

    async def run(self) -> None:
        """Polls all searches."""
        cursors = self.harness.pipeline.accounts["main"].evaluator.coverage.cursors
        with trio.CancelScope() as self._scope:
            async with trio.open_nursery() as nursery:
                for search in self.settings.config.searches:
                    wire = self.wires.setdefault(search.name, Wire(self.sandbox))
                    sink, cursor = self.harness.sinks["main"], cursors.get(search.name)
                    plan = replace(plan_of(search), page_size=self.page_size)
                    nursery.start_soon(poll_search, plan, wire, sink, self.clock, cursor)

    _nursery: trio.Nursery = field(init=False)


def written(searches: str, rules: str = "") -> Settings:
    """Returns a configuration of one account with these searches and rules, one a line."""
    listed = "\n".join(f"  - {line.strip()}" for line in searches.strip().splitlines())
    ruled = (
        "rules:\n" + "\n".join(f"  - {line.strip()}" for line in rules.strip().splitlines()) if rules else "rules: []"
    )
    return settings(ruled, _CONFIG.replace("SEARCHES", listed))


_CONFIG = """
accounts:
  - {name: main, application_id: id, application_secret: secret}
searches:
SEARCHES
rules: [rules.yaml]
receivers: [{name: ops, console: [{}]}]
web: off
"""


@asynccontextmanager
async def watched(
    searches: str,
    rules: str = "",
    page_size: int = PAGE_SIZE,
    before: Callable[[Watched], None] | None = None,
    **sandbox: Any,
) -> AsyncIterator[Watched]:
    """Yields searches that poll a local Routee, after their first poll and sweeps.

    ``sandbox`` are settings of the local Routee; ``before`` fills it first.
    """
    clock = TrioClock(START)
    config = written(searches, rules)
    one = Watched(config, Sandbox(clock, **sandbox), PipelineHarness(config, clock), clock, page_size)
    if before is not None:
        before(one)
    async with trio.open_nursery() as nursery:
        one._nursery = nursery
        nursery.start_soon(one.run)
        await one.pass_(2 * MINUTE)
        yield one
        nursery.cancel_scope.cancel()
