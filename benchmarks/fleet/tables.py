"""The tables of docs/scale.md, as lines of Markdown: ``python -m benchmarks.fleet.tables`` prints them from docs/images/fleet.json."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from benchmarks.figure import Figure, number
from benchmarks.fleet.costs import Costs
from benchmarks.fleet.fleet import KEPT, Outcome, Row, whole
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
            Figure("resident memory of a message, once the shipped rules were evaluated", costs.memory_bytes, "bytes"),
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
        both = [f"{rounded(each.value)} {each.unit}" for each in (one, other)]
        yield f"| {one.what} | {' | '.join(both if both[0] != both[1] else [both[0], 'the same'])} |"


def busy_lines(rows: Iterable[Row]) -> Iterator[str]:
    """The busiest hour of each fleet in a row."""
    for row in rows:
        cells = [
            str(row.workers),
            f"{row.cpu_mean:.0%}",
            f"{row.cpu_busiest:.0%}",
            f"{rounded(row.memory / 1e9)} GB",
            "" if row.memory_after is None else f"{rounded(row.memory_after / 1e9)} GB",
            *map(duration, (row.delay, row.delay_99, row.lag)),
        ]
        yield f"| {' | '.join(cells)} |"


def death_lines(rows: Iterable[Row]) -> Iterator[str]:
    """What comes after deaths, each fleet in a row."""
    for row in rows:
        cells = [str(row.workers)]
        for died, held, judged in (
            (1, row.held_again[0], row.judged_again[0]),
            (row.workers // 2, row.held_again[-1], row.judged_again[-1]),
        ):
            can = row.cpu_mean * row.workers <= row.workers - died
            cells += [duration(held), duration(judged)] if can else ["too few", "too few"]
        yield f"| {' | '.join(cells)} |"


def rounded(value: float) -> str:
    """Returns the number with two digits that count and separated thousands."""
    two = float(f"{value:.2g}")
    return f"{two:,.0f}" if abs(two) >= 10 else f"{two:g}"


def duration(seconds: float) -> str:
    """Returns a duration in the unit that it is read in; what is below a tenth of a second is none."""
    for unit, length in (("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{rounded(seconds / length)} {unit}"
    return f"{rounded(seconds)} s" if seconds >= 0.1 else "0 s"


def _lines(figures: Iterable[Figure]) -> Iterator[str]:
    for one in figures:
        yield f"| {one.what} | {number(one.value)} {one.unit}".rstrip() + " |"


def document_lines(found: Outcome) -> Iterator[str]:
    """Yields all lines that the document has to have."""
    yield from measured_lines(found.costs)
    yield from whole_lines(*(whole(found.costs, Fleet(20, kept=kept)) for kept in KEPT))
    for kept in KEPT:
        rows = [row for row in found.rows if row.kept == kept and row.is_enough]
        yield from busy_lines(rows)
        yield from death_lines(rows)


if __name__ == "__main__":
    found = msgspec.json.decode(Path("docs/images/fleet.json").read_bytes(), type=Outcome)
    print(*document_lines(found), sep="\n")
