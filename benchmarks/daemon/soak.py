"""Simulates a week in minutes: polling, evaluation, the store and delivery, on a clock that jumps, with occasional faults everywhere.

``python -m benchmarks.daemon.soak --days 7 --rate 50`` shows a line every six simulated hours and then the result. It fails unless memory is
flat after the first day, no task is left over, the values are exact, and every channel was notified of every alert and of its end.
"""

import argparse
import functools
import logging
import math
import resource
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import trio
import trio.testing

from benchmarks.daemon.soak_traffic import OPERATORS, World, within
from monitor.daemon.flush_timer import flush_when_due
from monitor.ingest.poll.plan import SearchPlan
from monitor.ingest.poll.search_tasks import poll_search
from monitor.model.alert import Transition, fingerprint
from monitor.model.notification import Notification
from monitor.model.routee_query import RouteeQuery
from monitor.notify.channels.protocol import Outcome, Retry, Sent
from monitor.notify.outbox import Outbox, deliver
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND, Clock, Duration, TrioClock, parse_iso
from monitor.runtime.errors import StoreError
from monitor.store.open import open_store
from monitor.store.protocol import HISTORY_KEPT, Store
from monitor.window import Query, Window, WindowReader
from tests.fakes.inline_store import InlineStoreFront
from tests.fakes.pipeline_harness import PipelineHarness
from tests.fakes.written import settings

T = TypeVar("T")

START = parse_iso("2026-11-21T10:00:00Z")
RETENTION: Duration = 20 * HOUR
"""Less than a day, so that after the first day as many messages are forgotten as arrive."""
COUNTED: Duration = HOUR
WAIT: Duration = 10 * SECOND
"""The group_wait of the configuration below."""
RULES = """
rules:
  - {name: Failing, kind: rate, by: [operator], window: 15m, above: 20%, min_messages: 50, keep_firing_for: 5m}
  - {name: Slow, kind: latency, percentile: 95, by: [country], window: 15m, above: 60s, min_messages: 50}
"""
CONFIG = """
accounts:
  - {name: main, application_id: id, application_secret: secret}
searches:
  - {name: all, account: main, every: 60s}
rules: [rules.yaml]
receivers:
  - {name: ops, console: [{}, {}, {}]}
route: {receiver: ops, group_by: [alertname, operator], group_wait: 10s, group_interval: 1m, repeat_interval: 4h}
retention: 20h
web: off
"""


@dataclass
class Receiver:
    """A channel that fails at times. Counts, by alert and state, how often it was notified, and repeated notifications (``twice``)."""

    answer: Callable[[], Outcome]
    sent: dict[tuple[str, str], int] = field(default_factory=dict)
    last: set[str] = field(default_factory=set)
    twice: int = 0

    async def send(self, notification: Notification, previous: dict[str, str] | None) -> Outcome:
        await trio.sleep(0.05)
        outcome = self.answer()
        if isinstance(outcome, Sent):
            self._take(notification)
        return outcome

    def _take(self, notification: Notification) -> None:
        self.twice += notification.key in self.last
        self.last.add(notification.key)
        if notification.reason in ("first", "all resolved"):
            for view in notification.alerts:
                key = view.name + " " + view.labels.get("operator", ""), view.status
                self.sent[key] = self.sent.get(key, 0) + 1

    async def check(self) -> str:
        return ""


class FaultSchedule:
    """The faults besides Routee's: the store for five minutes every seven hours, one channel for two hours a day, another for every third send."""

    def __init__(self, clock: Clock, world: World) -> None:
        self._clock, self._world, self._asked = clock, world, 0

    def _in(self, every: Duration, start: Duration, length: Duration) -> bool:
        now = self._clock.now()
        return not self._world.is_quiet(now) and within(now - START, every, start, length)

    @property
    def disk(self) -> bool:
        return self._in(7 * HOUR, 65 * MINUTE, 5 * MINUTE)

    def daily_outage(self) -> Outcome:
        return Retry("down") if self._in(DAY, HOUR, 2 * HOUR) else Sent()

    def every_third(self) -> Outcome:
        self._asked += 1
        return Retry("500") if self._asked % 3 == 0 else Sent()


class FailingStoreFront(InlineStoreFront):
    """A store that fails while its disk has a fault."""

    def __init__(self, store: Store, faults: FaultSchedule) -> None:
        super().__init__(store)
        self._faults = faults

    async def run(self, call: Callable[[Store], T]) -> T:
        if self._faults.disk:
            await trio.lowlevel.checkpoint()
            raise StoreError("the disk is full")
        return await super().run(call)


@dataclass
class Report:
    """The result. ``resident`` maps simulated hours to the resident set in MB; ``wrong`` lists failures."""

    duration: Duration = 0
    messages: int = 0
    requests: int = 0
    fired: int = 0
    resident: dict[float, float] = field(default_factory=dict)
    tasks: tuple[int, int] = (0, 0)
    wrong: list[str] = field(default_factory=list)

    @property
    def growth(self) -> float:
        """Returns the growth of the median resident set from the second day to the last, as a share; 0 for less than two days.

        Medians ignore peaks, such as that of tidying up the window.
        """
        last = max(self.resident, default=0.0)
        second = [mb for hour, mb in self.resident.items() if 24 <= hour < 48]
        latest = [mb for hour, mb in self.resident.items() if hour > last - 24]
        return statistics.median(latest) / statistics.median(second) - 1 if last >= 48 else 0.0


class _Outboxed(PipelineHarness):
    """A harness that wakes a real delivery."""

    outbox: Outbox | None = None

    def _wake(self) -> None:
        if self.outbox is not None:
            self.outbox.wake()


async def soak(folder: Path, span: Duration, rate: int, say: Callable[[str], None], until: float = math.inf) -> Report:
    """Runs for ``span``, then without faults for two hours, and examines the result. Needs trio's MockClock."""
    clock, report = TrioClock(START), Report()
    world = World(clock, START - 30 * MINUTE, rate)
    faults = FaultSchedule(clock, world)
    with open_store(folder / "monitor.db", exclusive=True) as store:
        front = functools.partial(FailingStoreFront, faults=faults)
        harness = _Outboxed(settings(RULES, CONFIG), clock, store, fronted=front)
        receivers = [Receiver(Sent), Receiver(faults.daily_outage), Receiver(faults.every_third)]
        async with trio.open_nursery() as nursery:
            await _begin(nursery, harness, world, receivers)
            await _live(harness, world, report, span, say, until)
            report.duration = clock.now() - START
            world.quiet_from = clock.now()
            await _live(harness, world, report, 2 * HOUR, say)
            report.messages, report.requests = world.sent, world.asked
            await _examine(harness, world, receivers, report)
            nursery.cancel_scope.cancel()
    return report


async def _begin(nursery: trio.Nursery, harness: _Outboxed, world: World, receivers: list[Receiver]) -> None:
    channels = {("ops", f"console/{number}"): one for number, one in enumerate(receivers)}
    await harness.pipeline.begin()
    delivering = functools.partial(deliver, harness.front, channels, harness.clock)
    harness.outbox = await nursery.start(lambda task_status: delivering(task_status=task_status))
    sweeps = ((15 * MINUTE, 30 * MINUTE),)
    plan = SearchPlan("main", "all", RouteeQuery(), MINUTE, sweeps, 0)
    nursery.start_soon(poll_search, plan, world, harness.sinks["main"], harness.clock, None)
    nursery.start_soon(flush_when_due, harness.pipeline)
    nursery.start_soon(_keep_house, harness)


async def _keep_house(harness: _Outboxed) -> None:
    while True:
        await harness.clock.sleep(HOUR)
        now = harness.clock.now()
        try:
            await harness.front.prune(now - RETENTION, now - HISTORY_KEPT)
        except StoreError:
            continue


async def _live(
    harness: _Outboxed,
    world: World,
    report: Report,
    span: Duration,
    say: Callable[[str], None],
    until: float = math.inf,
) -> None:
    """Lets time pass, and records memory and tasks every hour. Ends early at ``until``, a time of the machine's own clock."""
    end = harness.clock.now() + span
    while harness.clock.now() < end and time.monotonic() < until:
        await harness.clock.sleep(min(HOUR, end - harness.clock.now()))
        hours = (harness.clock.now() - START) / HOUR
        report.resident[hours] = resident()
        tasks = trio.lowlevel.current_statistics().tasks_living
        report.tasks = (report.tasks[0] or tasks, tasks)
        if round(hours) % 6 == 0:
            messages = harness.pipeline.accounts["main"].evaluator.window.messages
            say(
                f"{hours:6.1f} h  {world.sent:>11,} sent  {messages:>10,} kept  {resident():7.1f} MB  {tasks} tasks  {time.process_time():8.1f} s"
            )


def resident() -> float:
    """Returns the resident memory in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


async def _examine(harness: _Outboxed, world: World, receivers: list[Receiver], report: Report) -> None:
    evaluator = harness.pipeline.accounts["main"].evaluator
    end = evaluator.coverage.cursors["all"].as_of
    if _counted(evaluator.window, end) != world.recount(end, COUNTED):
        report.wrong.append(f"the values differ: {_counted(evaluator.window, end)} is {world.recount(end, COUNTED)}")
    fired, over = await _happened(harness, "fired"), await _happened(harness, "resolved")
    report.fired = sum(fired.values())
    if fired != over:
        report.wrong.append(f"not every alert ended: {fired - over}")
    seen = Counter({name.removeprefix("Failing "): n for name, n in fired.items() if name.startswith("Failing ")})
    if seen != world.incidents:
        report.wrong.append(f"incidents were {world.incidents}, fired were {seen}")
    for number, receiver in enumerate(receivers):
        _examine_receiver(number, receiver, fired, report)
    if report.tasks[0] != report.tasks[1]:
        report.wrong.append(f"tasks were {report.tasks[0]} and are {report.tasks[1]}")


def _examine_receiver(number: int, receiver: Receiver, fired: Counter[str], report: Report) -> None:
    for status in ("firing", "resolved"):
        sent = Counter({name: times for (name, what), times in receiver.sent.items() if what == status})
        if sent != fired:
            report.wrong.append(f"channel {number} was told {status}: {sent}, fired were {fired}")
    if receiver.twice:
        report.wrong.append(f"channel {number} was told {receiver.twice} notifications twice")


async def _happened(harness: _Outboxed, what: str) -> Counter[str]:
    """Counts transitions by rule and operator (built-in alerts have none). Skips alerts that ended within group_wait: nobody is notified of them."""
    known = {_fingerprint(name): name for name in OPERATORS}
    moves = (await harness.front.transitions(1_000_000))[::-1]
    began: dict[str, Transition] = {}
    counted: Counter[str] = Counter()
    for one in moves:
        if one.what == "fired":
            began[one.fingerprint] = one
        elif one.what == "resolved" and one.fingerprint in began:
            lasted = one.at - began.pop(one.fingerprint).at
            counted[f"{one.rule} {known.get(one.fingerprint, '')}"] += lasted > WAIT
    left = Counter(f"{one.rule} {known.get(one.fingerprint, '')}" for one in began.values())
    return counted + left if what == "fired" else counted


def _fingerprint(operator: str) -> str:
    return fingerprint("main", "Failing", (("operator", operator),))


def _counted(window: Window, end: int) -> Counter[tuple[str, str]]:
    by, reading = ("operator", "status"), WindowReader(window)
    tally = reading.tally(Query(end - COUNTED, end, by=by))
    found = zip(tally.codes.tolist(), tally.counts.tolist(), strict=True)
    pairs = ((reading.labels(by, code), count) for code, count in found if count)
    return Counter({(operator, status): count for (operator, status), count in pairs})


def run(span: Duration, rate: int, say: Callable[[str], None], within: float = math.inf) -> Report:
    """Runs the soak in a loop of its own, on a clock that jumps to the next event; ends early after ``within`` real seconds."""
    logging.getLogger("monitor").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        clock = trio.testing.MockClock(autojump_threshold=0)
        return trio.run(soak, Path(folder), span, rate, say, time.monotonic() + within, clock=clock)


def main() -> int:
    """Runs the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.daemon.soak", description=__doc__)
    parser.add_argument("--days", type=float, default=7.0)
    parser.add_argument("--rate", type=int, default=50, help="messages a second")
    parser.add_argument(
        "--within", type=float, default=math.inf, metavar="MINUTES", help="come to an end after so long"
    )
    asked = parser.parse_args()
    report = run(round(asked.days * DAY), asked.rate, functools.partial(print, flush=True), asked.within * 60)
    figures = f"{report.duration / DAY:.2f} days, {report.messages:,} messages, {report.requests:,} requests, {report.fired} alerts"
    print(f"{figures}, {report.growth:+.1%} memory after the first day")
    if report.growth > 0.05:
        report.wrong.append("memory grew by more than 5 %")
    print("\n".join(report.wrong) or "all is as it should be")
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
