"""The tables of docs/scale.md, as lines of Markdown: ``python -m benchmarks.fleet.tables`` prints them from docs/images/fleet.json."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from benchmarks.figure import Figure, number
from benchmarks.fleet.costs import Costs
from benchmarks.fleet.fleet import KEPT, SHOWN, Outcome, Row, whole
from benchmarks.fleet.simulation import Fleet


def measured_lines(costs: Costs) -> Iterator[str]:
    """What was measured."""
    yield from _lines(
        [
            Figure(
                "a message fetched over TLS with gzip that was known already, processor time",
                costs.again_seconds * 1e6,
                "µs",
            ),
            Figure("a new one, with its share of the commit", costs.new_seconds * 1e6, "µs"),
            Figure("a message restored from PostgreSQL", costs.restore_seconds * 1e6, "µs"),
            *(
                Figure(
                    f"a poll's evaluation of the shipped rules over {each.messages:,} messages",
                    each.seconds * 1e3,
                    "ms",
                )
                for each in costs.evaluations
            ),
            Figure("resident memory of a message", costs.memory_bytes, "bytes"),
            Figure("a message in Routee's answer, uncompressed", costs.plain_bytes, "bytes"),
            Figure("the same with gzip (level 1)", costs.gzip_bytes, "bytes"),
            Figure("messages fetched by polls for each one sent", costs.poll_fetched, ""),
            Figure("messages fetched by sweeps for each one sent", costs.sweep_fetched, ""),
            Figure("requests for 1,000 messages sent", costs.requests * 1e3, ""),
            Figure("messages new or changed when fetched, for each one sent", costs.changed, ""),
            Figure("rows written for each one sent, with what the journal writes again", costs.written, ""),
            Figure("a row on PostgreSQL's disk", costs.database_bytes, "bytes"),
            Figure("a row in its write-ahead log", costs.wal_bytes, "bytes"),
            Figure("a row, PostgreSQL's processor time", costs.database_seconds * 1e6, "µs"),
            Figure("a lease renewed: write-ahead log", costs.renewal_wal_bytes, "bytes"),
            Figure("a lease renewed: PostgreSQL's processor time", costs.renewal_seconds * 1e6, "µs"),
            Figure("the busiest hour against the mean", costs.peak, "times"),
        ]
    )


def whole_lines(eight: Iterable[Figure], thirty: Iterable[Figure]) -> Iterator[str]:
    """What all accounts take together, with the messages of so many days in the windows."""
    for one, other in zip(eight, thirty, strict=True):
        both = [f"{number(each.value)} {each.unit}" for each in (one, other)]
        yield f"| {one.what} | {' | '.join(both if both[0] != both[1] else [both[0], 'the same'])} |"


def fleet_lines(rows: Iterable[Row]) -> Iterator[str]:
    """Each fleet in a row."""
    for row in rows:
        after = "" if row.memory_after is None else f" ({number(row.memory_after / 1e9)})"
        cells = [
            str(row.workers),
            f"{row.cpu_mean:.0%}",
            f"{row.cpu_busiest:.0%}",
            f"{number(row.memory / 1e9)}{after} GB",
            f"{_time(row.delay)}, {_time(row.delay_99)}",
            _time(row.lag),
            *_deaths(row),
        ]
        yield f"| {' | '.join(cells)} |"


def _deaths(row: Row) -> list[str]:
    told = [f"{_time(held)}, {_time(judged)}" for held, judged in zip(row.held_again, row.judged_again, strict=True)]
    return ["", ""] if not told else [told[0], told[-1]]


def _time(seconds: float) -> str:
    """Returns a duration in the unit that it is read in."""
    for unit, length in (("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{number(seconds / length)} {unit}"
    return f"{number(seconds)} s"


def _lines(figures: Iterable[Figure]) -> Iterator[str]:
    for one in figures:
        yield f"| {one.what} | {number(one.value)} {one.unit}".rstrip() + " |"


def document_lines(found: Outcome) -> Iterator[str]:
    """Yields all lines that the document has to have."""
    yield from measured_lines(found.costs)
    yield from whole_lines(*(whole(found.costs, Fleet(20, kept=kept)) for kept in KEPT))
    yield from fleet_lines(row for row in found.rows if row.kept == KEPT[0] or row.workers in SHOWN)


if __name__ == "__main__":
    found = msgspec.json.decode(Path("docs/images/fleet.json").read_bytes(), type=Outcome)
    print(*document_lines(found), sep="\n")
