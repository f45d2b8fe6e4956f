"""Shows suggestions as JSON, and as lines of text with a small picture of each rule."""

from collections.abc import Iterator, Sequence
from math import ceil
from typing import Any, Final

from monitor.alerts.kinds.tuning import WrittenThreshold
from monitor.config.yaml import value_at
from monitor.model.format import amount, duration, number
from monitor.model.plurals import plural
from monitor.runtime.clock import iso
from monitor.simulation.backtest.report import age
from monitor.simulation.backtest.run import Backtest, Trial
from monitor.simulation.replay import Episode
from monitor.simulation.suggest.ladder import Rung
from monitor.simulation.suggest.patch import is_from_variable
from monitor.simulation.suggest.picture import BETWEEN, OVER, UNDER, picture
from monitor.simulation.suggest.proposal import Suggestion, is_kept

MOST_LOST: Final = 3
"""The most alerts that are listed as lost: those that look real first, then the longest."""
LEGEND: Final = (
    f"Of each picture a character is half an hour (of more than 10 days: three hours): {UNDER} under both thresholds, "
    f"{BETWEEN} over one, {OVER} over both, blank: no data. UTC."
)


def as_json(suggestions: Sequence[Suggestion], found: Backtest) -> list[dict[str, Any]]:
    """Returns one entry for each rule; see docs/commands.md."""
    return [_entry(one, found) for one in suggestions]


def _entry(one: Suggestion, found: Backtest) -> dict[str, Any]:
    kept, lost = _kept_and_lost(one, found)
    return {
        "rule": one.rule.name,
        "kind": one.rule.kind,
        "now": _outcome(one, one.trial, [_as_written(one, level) for level in one.thresholds], found),
        "proposed": None
        if one.proposed is None
        else _outcome(one, one.proposed, [rung.text for rung in one.rungs], found),
        "why": one.why or None,
        "fits": one.fits,
        "ordinary": None if one.usual is None else _ordinary(one, found),
        "kept": [_alert(episode, one, found) for episode in kept],
        "lost": [_alert(episode, one, found) for episode in lost],
        "changes": [
            {
                "key": ".".join(map(str, level.path)),
                "from": _as_written(one, level),
                "to": rung.text,
                "file": one.rule.location(*level.path)[0],
                "line": one.rule.location(*level.path)[1],
                "variable": is_from_variable(one.rule, level.path),
            }
            for level, rung in _changes(one)
        ],
    }


def _outcome(one: Suggestion, trial: Trial, thresholds: Sequence[str], found: Backtest) -> dict[str, Any]:
    alerts = len(one.alerts(trial))
    return {"thresholds": list(thresholds), "alerts": alerts, "a_week": round(alerts / found.span.weeks, 2)}


def _ordinary(one: Suggestion, found: Backtest) -> dict[str, Any]:
    assert one.usual is not None
    value, nearest = (round(size, 6) if abs(size) < 1e300 else None for size in (one.usual.value, one.usual.bound))
    return {"value": value, "nearest": nearest, "labels": found.labels(one.usual.account, one.usual.group)}


def _alert(episode: Episode, one: Suggestion, found: Backtest) -> dict[str, Any]:
    return {
        "labels": found.labels(episode.account, episode.group),
        "firing_at": None if episode.firing_at is None else iso(episode.firing_at),
        "resolved_at": None if episode.resolved_at is None else iso(episode.resolved_at),
        "peak": episode.peak,
        "looks_real": one.looks_real(episode, found.span.until),
    }


def _changes(one: Suggestion) -> Iterator[tuple[WrittenThreshold, Rung]]:
    return zip(one.thresholds, one.rungs, strict=False)


def _as_written(one: Suggestion, level: WrittenThreshold) -> str:
    return str(value_at(one.rule.as_written, level.path))


def _kept_and_lost(one: Suggestion, found: Backtest) -> tuple[list[Episode], list[Episode]]:
    """Today's alerts that remain with the proposal, and those that do not."""
    today, until = one.alerts(one.trial), found.span.until
    if one.proposed is None:
        return today, []
    proposed = one.alerts(one.proposed)
    kept = [is_kept(episode, proposed, until) for episode in today]
    split = [
        [episode for episode, stays in zip(today, kept, strict=True) if stays is wanted] for wanted in (True, False)
    ]
    return split[0], split[1]


def lines(suggestions: Sequence[Suggestion], found: Backtest) -> Iterator[str]:
    """Yields the text: what is proposed first, then the rules that stay as they are, and why."""
    proposed = [one for one in suggestions if one.proposed is not None]
    for one in proposed:
        yield from _proposal(one, found)
        yield ""
    if proposed:
        yield LEGEND
        yield ""
    for one in suggestions:
        if one.proposed is None:
            yield _unchanged(one, found)


def _proposal(one: Suggestion, found: Backtest) -> Iterator[str]:
    assert one.proposed is not None
    now = " / ".join(_as_written(one, level) for level in one.thresholds)
    then = " / ".join(rung.text for rung in one.rungs)
    key, size = one.thresholds[0].path[-1], max(len(now), len(then))
    yield one.rule.name
    yield f"  now       {key} {now:<{size}}  {_often(one, one.trial, found)}"
    yield f"  proposed  {key} {then:<{size}}  {_often(one, one.proposed, found)}"
    yield from _losses(one, found)
    yield from (f"  {row}" for row in picture(one.recorded, [one.thresholds[0].size, one.rungs[0].size], found.span))


def _often(one: Suggestion, trial: Trial, found: Backtest) -> str:
    alerts = len(one.alerts(trial))
    return f"{plural(alerts, 'alert')}, {number(alerts / found.span.weeks)} a week"


def _losses(one: Suggestion, found: Backtest) -> Iterator[str]:
    until = found.span.until
    kept, lost = _kept_and_lost(one, found)
    if not kept and not lost:
        return
    real = [episode for episode in (*kept, *lost) if one.looks_real(episode, until)]
    still = [episode for episode in real if episode in kept]
    verb = "look" if len(real) > 1 else "looks"
    looks = f", {len(still)} of {len(real)} that {verb} real" if real else ", none of which looks real"
    yield f"  keeps {len(kept)} of {plural(len(kept) + len(lost), 'alert')}{looks}"

    if real and not still:
        yield f"  Careful: it loses {'the only alert' if len(real) == 1 else 'every alert'} that looks real"
    if len(still) < len(real) and len(real) > one.most:
        yield f"  to keep more of them: --alerts-a-week {ceil(len(real) / found.span.weeks)} --rule {one.rule.name}"

    def weight(episode: Episode) -> tuple[bool, int]:
        return episode in real, (episode.resolved_at or until) - (episode.firing_at or until)

    for episode in sorted(lost, key=weight, reverse=True)[:MOST_LOST]:
        lasted = duration((episode.resolved_at or until) - (episode.firing_at or until))
        peak = amount(episode.peak, one.trial.unit(episode.group))
        group = ", ".join(found.labels(episode.account, episode.group).values()) or "all messages"
        yield f"  loses {age(episode.firing_at)[5:]} for {lasted}, peak {peak}: {group}"
    if len(lost) > MOST_LOST:
        yield f"  loses {len(lost) - MOST_LOST} more"


def _unchanged(one: Suggestion, found: Backtest) -> str:
    if one.fits:
        now = " / ".join(_as_written(one, level) for level in one.thresholds)
        return (
            f"{one.rule.name} stays as it is: {one.thresholds[0].path[-1]} {now} gives {_often(one, one.trial, found)}"
        )
    return f"{one.rule.name}: no suggestion: {one.why}"
