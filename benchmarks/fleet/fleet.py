"""Measures what accounts take, and simulates 1 to 20 workers that share a hundred of them, of ten million messages a day each."""

from typing import Final

import msgspec
import numpy as np

from benchmarks.figure import Figure
from benchmarks.fleet.costs import Costs
from benchmarks.fleet.simulation import Course, Fleet, Simulation
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND

WORKERS: Final = range(1, 21)
KEPT: Final = (8, 30)
"""Days of messages in the windows: what the shipped rules look back at, with a day to spare, and what `retention` is unless written."""
BEFORE: Final = 4 * HOUR
"""So long it runs before the busiest hour: what is left undone in the morning is to be done at noon."""


class Row(msgspec.Struct, frozen=True):
    """A fleet of so many workers. Shares are of a core, times in seconds; the busiest hour is that of the day, of the busiest worker."""

    workers: int
    kept: int
    cpu_mean: float
    cpu_busiest: float
    memory: float
    """Bytes of a worker's windows, and of theirs if one worker less is there."""
    memory_after: float | None
    delay: float
    delay_99: float
    """From when a poll is due until it begins, in the busiest hour: the median, and 99 of 100."""
    lag: float
    """The longest time from when a poll is due until it has ended."""
    held_again: list[float]
    judged_again: list[float]
    """After one, and then half of the workers died at once at the beginning of the busiest hour."""

    @property
    def is_enough(self) -> bool:
        """Whether the workers can do the work of a day within a day."""
        return self.cpu_mean <= 1


class Outcome(msgspec.Struct, frozen=True):
    """What was measured, and what follows from it."""

    costs: Costs
    rows: list[Row]


def outcome(costs: Costs) -> Outcome:
    """Simulates all fleets."""
    return Outcome(costs, [row(costs, Fleet(workers, kept=kept)) for kept in KEPT for workers in WORKERS])


def row(costs: Costs, fleet: Fleet) -> Row:
    """Simulates one fleet. Raises RuntimeError if it judged other messages than were sent."""
    noon = costs.busiest_hour * HOUR
    busy = _exact(Simulation(costs, fleet, noon - BEFORE, noon + HOUR, noon).run())
    deaths = sorted({1, fleet.workers // 2}) if fleet.workers > 1 else []
    died = [_exact(Simulation(costs, fleet, noon, noon + HOUR).run(each, noon + MINUTE)) for each in deaths]
    delay, delay_99 = np.percentile(busy.delays, [50, 99]).tolist()
    held = fleet.held_messages * costs.memory_bytes
    return Row(
        workers=fleet.workers,
        kept=fleet.kept,
        cpu_mean=work_a_day(costs, fleet) / fleet.workers,
        cpu_busiest=max(busy.worked) / HOUR,
        memory=fleet.largest_share() * held,
        memory_after=fleet.largest_share(lost=1) * held if fleet.workers > 1 else None,
        delay=delay / SECOND,
        delay_99=delay_99 / SECOND,
        lag=max(busy.lags) / SECOND,
        held_again=[each.held_again / SECOND for each in died],
        judged_again=[each.judged_again / SECOND for each in died],
    )


def _exact(course: Course) -> Course:
    if course.sent != course.judged:
        raise RuntimeError(f"{course.sent} messages were sent, {course.judged} judged")
    return course


def work_a_day(costs: Costs, fleet: Fleet) -> float:
    """Returns the cores that all accounts keep busy on average."""
    return _work(costs, fleet, 1)


def work_busiest(costs: Costs, fleet: Fleet) -> float:
    """Returns the cores that all accounts keep busy in the busiest hour."""
    return _work(costs, fleet, costs.peak)


def _work(costs: Costs, fleet: Fleet, times_the_mean: float) -> float:
    polls = fleet.accounts * DAY / fleet.every
    reading = costs.reading(fleet.accounts * fleet.messages_a_day * times_the_mean)
    return (reading + polls * costs.evaluation(fleet.held_messages)) * SECOND / DAY


def by_requests(requests: float, costs: Costs, fleet: Fleet) -> float:
    """Returns the messages a day with which an account asks as often as it may in the busiest hour, at so many requests a message."""
    return fleet.rate * DAY / SECOND / (requests * costs.peak)


def by_core(costs: Costs, fleet: Fleet) -> float:
    """Returns the messages a day with which an account keeps one core busy in the busiest hour, alone."""
    few, many = 0, 1_000_000_000
    while many - few > 1_000:
        middle = (few + many) // 2
        reading = costs.reading(middle * costs.peak) * SECOND / DAY
        evaluating = costs.evaluation(middle * fleet.kept) * SECOND / fleet.every
        few, many = (middle, many) if reading + evaluating < 1 else (few, middle)
    return few


def whole(costs: Costs, fleet: Fleet) -> list[Figure]:
    """Returns what all accounts together take, whatever the number of workers (but for their beats)."""
    sent = fleet.accounts * fleet.messages_a_day * SECOND / DAY
    held, renewals = fleet.accounts * fleet.held_messages, fleet.accounts + fleet.workers
    busiest = sent * costs.peak
    one = busiest / fleet.accounts

    def log(messages: float) -> float:
        return messages * costs.written * costs.wal_bytes + renewals * costs.renewal_wal_bytes

    database = busiest * costs.written * costs.database_seconds + renewals * costs.renewal_seconds
    return [
        Figure("messages sent, on average", sent, "a second"),
        Figure("messages sent, busiest hour", busiest, "a second"),
        Figure("messages fetched, busiest hour", busiest * costs.fetched, "a second"),
        Figure("requests of one account, busiest hour, all pages full", one * costs.fewest_requests, "a second"),
        Figure("requests of one account, busiest hour, pages as measured", one * costs.requests, "a second"),
        Figure("requests of all accounts, busiest hour, pages as measured", busiest * costs.requests, "a second"),
        Figure("from Routee with gzip, busiest hour", busiest * costs.fetched * costs.gzip_bytes / 1e6, "MB a second"),
        Figure(
            "from Routee uncompressed, busiest hour", busiest * costs.fetched * costs.plain_bytes / 1e6, "MB a second"
        ),
        Figure("rows written, busiest hour", busiest * costs.written, "a second"),
        Figure("commits", fleet.accounts * SECOND / fleet.every + fleet.workers, "a second"),
        Figure("write-ahead log, busiest hour", log(busiest) / 1e6, "MB a second"),
        Figure("write-ahead log, a day", log(sent) * DAY / SECOND / 1e9, "GB"),
        Figure("PostgreSQL's processors, busiest hour", database, "cores"),
        Figure("PostgreSQL's disk", held * costs.database_bytes / 1e9, "GB"),
        Figure("memory of all windows", held * costs.memory_bytes / 1e9, "GB"),
        Figure("memory of one window", fleet.held_messages * costs.memory_bytes / 1e9, "GB"),
        Figure("one window restored, alone on a core", fleet.held_messages * costs.restore_seconds, "s"),
        Figure("one evaluation of the shipped rules", costs.evaluation(fleet.held_messages), "s"),
        Figure("all of it on average", work_a_day(costs, fleet), "cores"),
        Figure(
            "the largest account at 5 requests a second, all pages full",
            by_requests(costs.fewest_requests, costs, fleet) / 1e6,
            "million messages a day",
        ),
        Figure(
            "the largest account at 5 requests a second, pages as measured",
            by_requests(costs.requests, costs, fleet) / 1e6,
            "million messages a day",
        ),
        Figure("the largest account that one core can do", by_core(costs, fleet) / 1e6, "million messages a day"),
    ]


def run(quick: bool) -> list[Figure]:
    """Returns what was measured, and what follows from it for some fleets."""
    from benchmarks.fleet.measure import measured

    costs = measured(quick)
    fleets = [row(costs, Fleet(workers, kept=KEPT[0])) for workers in (1, 5, 10, 20)]
    return [
        Figure("a message fetched that was known", costs.again_seconds * 1e6, "µs"),
        Figure("a new one, committed to PostgreSQL", costs.new_seconds * 1e6, "µs"),
        Figure("one restored from PostgreSQL", costs.restore_seconds * 1e6, "µs"),
        Figure("messages fetched for each one sent", costs.fetched, "messages"),
        *whole(costs, Fleet(20, kept=KEPT[0])),
        *(Figure(f"{one.workers} workers: a core in the busiest hour", one.cpu_busiest, "of it") for one in fleets),
        *(Figure(f"{one.workers} workers: 99 of 100 polls begin within", one.delay_99, "s") for one in fleets),
    ]
