"""Logs, at the level ``debug``, what each poll and sweep reads and why, and what came of it."""

import logging
from collections.abc import Sequence

from monitor.ingest.poll.plan import SearchPlan, Slice
from monitor.ingest.poll.sink import PollFigures
from monitor.runtime.clock import SECOND, Duration, Instant, format_duration, iso

log = logging.getLogger("monitor")


def log_poll(
    plan: SearchPlan, wanted: Slice, watermark: Instant | None, folded: Sequence[Duration], *, is_short: bool
) -> None:
    """Logs from where to where a poll reads, and why."""
    if not log.isEnabledFor(logging.DEBUG):
        return
    why = "it was never polled" if watermark is None else f"read up to {_time(watermark)}, less the overlap"
    sweeps = f"; with the sweeps of {', '.join(map(format_duration, folded))}" if folded else ""
    how = "first only what may have changed" if is_short else "all of it"
    _planned(plan, "poll", wanted, f"{why}{sweeps}; {how}")


def log_sweep(plan: SearchPlan, back: Duration, wanted: Slice | None) -> None:
    """Logs from where to where the sweep that looks ``back`` reads."""
    if not log.isEnabledFor(logging.DEBUG):
        return
    if wanted is None:
        log.debug(
            "sweep of %s of search %s of account %s: polls read all of that",
            format_duration(back),
            plan.name,
            plan.account,
        )
    else:
        _planned(plan, f"sweep of {format_duration(back)}", wanted, "status changes of messages that are older")


def log_finished(plan: SearchPlan, figures: PollFigures) -> None:
    """Logs what a poll or sweep took, and what came of it."""
    if not log.isEnabledFor(logging.DEBUG):
        return
    log.debug(
        "%s of search %s of account %s ended: %s, %d requests, %d pages, %d messages, %d records unread, "
        "%d slices, %d read again, %d unchanged, %.0f ms",
        *(figures.kind, plan.name, plan.account, figures.outcome, figures.requests, figures.pages, figures.rows),
        *(figures.rejected, figures.slices, figures.reread, figures.skipped, figures.seconds * 1000),
        extra=_fields(plan),
    )


def _planned(plan: SearchPlan, what: str, wanted: Slice, why: str) -> None:
    log.debug(
        "%s of search %s of account %s: reads %s to %s (%s): %s",
        *(what, plan.name, plan.account, _time(wanted.start), _time(wanted.end)),
        *(format_duration(wanted.length // SECOND * SECOND), why),
        extra=_fields(plan),
    )


def _fields(plan: SearchPlan) -> dict[str, str]:
    return {"account": plan.account, "search": plan.name}


def _time(instant: Instant) -> str:
    return iso(instant // 1000 * 1000)
