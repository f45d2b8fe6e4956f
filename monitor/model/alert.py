"""The life of one alert: pending, firing, resolved, and what moves it. Pure: the time is handed in, nothing is sent.

Each level of a rule keeps its own two clocks: since when its threshold has been crossed without a break (``for``), and
when it was last seen crossed (``keep_firing_for``). A level is *held* from the first to the end of the second, and an alert's
level is the highest that is held. So an alert escalates at once when a worse level has held for its time, and goes
down as slowly as it resolves. "Not enough data" starts and ends nothing: a pending alert is dropped, a firing one stays,
marked, until ``forget_after`` has passed. A worse level that has not held for its time yet starts anew: nobody saw it held.

An alert that is over is kept while someone has yet to be told so. Where its group crosses a threshold again meanwhile, it travels
with the new alert (``earlier``), so that its end can still be told, and comes back if nothing becomes of the new one.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

import msgspec

from monitor.model.finding import Finding, excess
from monitor.model.notification import AlertView
from monitor.runtime.clock import Duration, Instant

State = Literal["pending", "firing", "resolved"]
Because = Literal["recovered", "no_data", "removed", "outranked"]
"""``outranked``: the rule's ``limit`` lets only the worst fire, and a worse one took its place."""
What = Literal["pending", "dropped", "fired", "escalated", "eased", "resolved", "acknowledged", "unacknowledged"]


class LevelClock(msgspec.Struct, frozen=True):
    """One level's clocks: crossed without a break from ``since`` on (None: not crossed now), last seen crossed at ``last``.

    ``on`` is true from the moment it has held for the rule's ``for`` until ``keep_firing_for`` is over.
    """

    since: Instant | None = None
    last: Instant | None = None
    on: bool = False


class Alert(msgspec.Struct, frozen=True):
    """One group of one rule that is, or was, over its threshold. ``level`` counts from 1; 0 while pending."""

    account: str
    rule: str
    group: tuple[tuple[str, str], ...]
    state: State
    held: tuple[LevelClock, ...]
    as_of: Instant
    pending_at: Instant
    level: int = 0
    firing_at: Instant | None = None
    resolved_at: Instant | None = None
    because: Because | None = None
    no_data_since: Instant | None = None
    value: float | None = None
    threshold: float | None = None
    baseline: float | None = None
    change: float | None = None
    peak: float | None = None
    messages: int = 0
    matching: int = 0
    why: str = ""
    view: AlertView | None = None
    """How it was last shown to anyone while it fired: who knows alerts by their labels has to see the same ones end."""

    earlier: "Alert | None" = None
    """While pending: the alert of the same group that is over, where there was one."""

    below: bool = False
    """Whether low values are bad."""

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that identify the rule's group: the same over restarts and severities."""
        return fingerprint(self.account, self.rule, self.group)

    @property
    def is_report(self) -> bool:
        """Whether it reports that a campaign has ended; see `AlertView.is_report`."""
        return is_report(self.group)

    @property
    def excess(self) -> float:
        """How far beyond its threshold, as a factor; under 1 while it is kept firing although it has recovered."""
        return excess(self.value, self.threshold, below=self.below)

    @property
    def crossed(self) -> int:
        """Returns how many levels the value crossed when it was last known."""
        return sum(clock.since is not None for clock in self.held)


def is_report(group: tuple[tuple[str, str], ...]) -> bool:
    """Whether the alerts of a rule's group report that a campaign has ended."""
    return ("problem", "ended") in group


@lru_cache(1 << 15)  # requested several times per alert in each evaluation
def fingerprint(account: str, rule: str, group: tuple[tuple[str, str], ...]) -> str:
    """The identity of one group of one rule of one account."""
    text = msgspec.json.encode([account, rule, sorted(group)])
    return hashlib.blake2b(text, digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Policy:
    """What of a rule governs the life of its alerts; ``levels`` is how many it has, ``below``: low values are the bad ones."""

    for_: Duration = 0
    keep_firing_for: Duration = 0
    levels: int = 1
    below: bool = False
    forget_after: Duration = 6 * 3_600_000_000


class TransitionSubject(msgspec.Struct, frozen=True):
    """Which alert a transition is about, its level after it, and, where a person made it, who and with which comment."""

    account: str
    group: tuple[tuple[str, str], ...]
    level: int = 0
    by: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of state: which alert, when, what. ``about`` is None in rows of older versions."""

    fingerprint: str
    rule: str
    at: Instant
    what: What
    because: Because | None = None
    value: float | None = None
    about: TransitionSubject | None = field(default=None, compare=False)


Step = tuple[Alert | None, Transition | None]


def advance(
    account: str,
    rule: str,
    alert: Alert | None,
    finding: Finding,
    policy: Policy,
    as_of: Instant,
    *,
    may_fire: bool = True,
) -> Step:
    """The alert after one more judgement, and what happened to it (None: nothing worth telling).

    No alert before or after stands for *inactive*; a resolved alert is inactive too, and comes back as it was while nothing
    new begins. Without ``may_fire`` an alert that would begin to fire stays pending: see `is_held_back`.
    """
    inactive = alert is None or alert.state == "resolved"
    if finding.gone and alert is not None:
        return remove(alert, as_of, "no_data")
    if finding.breached is None:
        return (alert, None) if alert is None or inactive else _unseen(alert, policy, as_of)
    if inactive and finding.breached == 0:
        return alert, None
    before = _begun(account, rule, finding, alert, as_of) if alert is None or inactive else alert
    held = _clocks(before.held, finding.breached, policy, as_of)
    if before.state != "firing":  # an alert that was never notified is not kept firing
        held = tuple(clock if clock.since is not None else LevelClock() for clock in held)
    level = sum(clock.on for clock in held)
    after = _measured(before, finding, policy, as_of, held=held, no_data_since=None)
    if before.state == "firing":
        return _firing(before, after, level, as_of)
    if finding.breached == 0:
        return _dropped(before, as_of)
    if level and may_fire:
        after = msgspec.structs.replace(after, state="firing", level=level, firing_at=as_of, earlier=None)
        return after, _moved(after, as_of, "fired")
    return after, _moved(after, as_of, "pending") if inactive else None


def is_held_back(alert: Alert) -> bool:
    """Returns whether the alert would fire if it were allowed to."""
    return alert.state == "pending" and any(clock.on for clock in alert.held)


def fires_on_until(alert: Alert, policy: Policy) -> Instant | None:
    """Until when an alert that is no longer over its threshold fires on for ``keep_firing_for``; None where it fires for another reason,
    or does not."""
    on = [clock for clock in alert.held if clock.on]
    if alert.state != "firing" or alert.no_data_since is not None or any(clock.since is not None for clock in on):
        return None
    return max((clock.last + policy.keep_firing_for for clock in on if clock.last is not None), default=None)


def next_level(alert: Alert, policy: Policy) -> tuple[Instant, int] | None:
    """When it fires, or fires at a worse level, if its value stays as it is, and at which level; None where it does not, or is held back."""
    waiting = [clock.since + policy.for_ for clock in alert.held[alert.level :] if clock.since is not None]
    if alert.state == "resolved" or is_held_back(alert) or not waiting:
        return None
    first = min(waiting)
    level = sum(clock.on or (clock.since is not None and clock.since + policy.for_ <= first) for clock in alert.held)
    return (first, level) if level > alert.level else None


def remove(alert: Alert, as_of: Instant, because: Because = "removed") -> Step:
    """Ends an alert whose rule was removed or no longer covers this group."""
    if alert.state == "firing":
        return _resolve(alert, as_of, because)
    return _dropped(alert, as_of) if alert.state == "pending" else (alert, None)


def displace(alert: Alert, as_of: Instant) -> Step:
    """A worse group takes the place of one that fires. It is over for those who were told, and held back while it is over its threshold."""
    if not alert.crossed:
        return _resolve(alert, as_of, "recovered")
    over, moved = _resolve(alert, as_of, "outranked")
    return msgspec.structs.replace(alert, state="pending", level=0, firing_at=None, earlier=over), moved


def rests_on_the_past(alert: Alert, breached: int | None, policy: Policy) -> bool:
    """Whether what becomes of the alert now, that ``breached`` levels are crossed, depends on the time since it was last judged."""
    if breached is None:
        return False
    if alert.state == "pending":
        return breached > 0 and policy.for_ > 0
    waits = any(clock.since is not None and not clock.on for clock in alert.held[:breached])
    return alert.state == "firing" and (waits or (breached < alert.level and policy.keep_firing_for > 0))


def catch_up(
    alert: Alert, seen: Iterable[tuple[Instant, Finding]], policy: Policy
) -> tuple[Alert | None, list[Transition]]:
    """The alert after a time in which nobody judged it: ``seen`` is what is found of that time now, the oldest moment first.

    Only clocks move. Nothing fires, and what fires goes on firing at its level: that is decided by what is found of now.
    """
    account, rule, moves = alert.account, alert.rule, list[Transition]()
    after: Alert | None = alert
    for as_of, finding in seen:
        if after is not None and after.state == "firing":
            after = _followed(after, finding.breached, policy, as_of)
            continue
        after, moved = advance(account, rule, after, finding, policy, as_of, may_fire=False)
        moves += [] if moved is None else [moved]
    return after, moves


def _begun(account: str, rule: str, finding: Finding, over: Alert | None, as_of: Instant) -> Alert:
    view = over.view if over is not None else None
    return Alert(account, rule, finding.group, "pending", (), as_of, as_of, view=view, earlier=over)


def _dropped(alert: Alert, as_of: Instant) -> Step:
    return alert.earlier, _moved(alert, as_of, "dropped")


def _unseen(alert: Alert, policy: Policy, as_of: Instant) -> Step:
    if alert.state == "pending":
        return _dropped(alert, as_of)
    since = as_of if alert.no_data_since is None else min(alert.no_data_since, as_of)
    alert = msgspec.structs.replace(alert, held=_interrupted(alert.held), no_data_since=since)
    if as_of - since >= policy.forget_after:
        return _resolve(alert, as_of, "no_data")
    return alert, None


def _interrupted(held: tuple[LevelClock, ...]) -> tuple[LevelClock, ...]:
    """The clocks where nobody knows whether levels are crossed: one that has not held for its time yet starts anew."""
    return tuple(clock if clock.on else LevelClock() for clock in held)


def _followed(alert: Alert, breached: int | None, policy: Policy, as_of: Instant) -> Alert:
    """An alert that fires at a moment of the past: the levels at which it fires stay."""
    if breached is None:
        return msgspec.structs.replace(alert, held=_interrupted(alert.held))
    clocks = _clocks(alert.held, breached, policy, as_of)
    held = (msgspec.structs.replace(clock, on=clock.on or i < alert.level) for i, clock in enumerate(clocks))
    return msgspec.structs.replace(alert, held=tuple(held))


def _clocks(held: tuple[LevelClock, ...], breached: int, policy: Policy, as_of: Instant) -> tuple[LevelClock, ...]:
    clocks = (*held[: policy.levels], *(LevelClock() for _ in range(policy.levels - len(held))))
    return tuple(_tick(clock, breached > i, policy, as_of) for i, clock in enumerate(clocks))


def _tick(clock: LevelClock, crossed: bool, policy: Policy, as_of: Instant) -> LevelClock:
    """One clock after one more judgement. What lies ahead of ``as_of`` was written before the time was set back: it counts as now."""
    if crossed:
        since = as_of if clock.since is None else min(clock.since, as_of)
        return LevelClock(since, as_of, clock.on or as_of - since >= policy.for_)
    last = as_of if clock.last is None else min(clock.last, as_of)
    over = clock.last is None or as_of - last >= policy.keep_firing_for
    return LevelClock(None, None if clock.last is None else last, clock.on and not over)


def _measured(
    alert: Alert,
    finding: Finding,
    policy: Policy,
    as_of: Instant,
    *,
    held: tuple[LevelClock, ...],
    no_data_since: Instant | None,
) -> Alert:
    worst = min if policy.below else max
    values = [value for value in (alert.peak, finding.value) if value is not None]
    return msgspec.structs.replace(
        alert,
        held=held,
        as_of=as_of,
        no_data_since=no_data_since,
        value=finding.value,
        threshold=finding.threshold,
        baseline=finding.baseline,
        change=finding.change,
        peak=worst(values) if values else None,
        messages=finding.messages,
        matching=finding.matching,
        why=finding.why,
        below=policy.below,
    )


def _firing(before: Alert, after: Alert, level: int, as_of: Instant) -> Step:
    if level == 0:
        return _resolve(after, as_of, "recovered")
    after = msgspec.structs.replace(after, level=level)
    if level == before.level:
        return after, None
    return after, _moved(after, as_of, "escalated" if level > before.level else "eased")


def _resolve(alert: Alert, as_of: Instant, because: Because) -> Step:
    # An alert of our own begins by the wall clock, which may have been set back since.
    end = as_of if alert.firing_at is None else max(as_of, alert.firing_at)
    over = msgspec.structs.replace(alert, state="resolved", resolved_at=end, because=because, as_of=as_of)
    return over, _moved(over, as_of, "resolved", because)


def _moved(alert: Alert, as_of: Instant, what: What, because: Because | None = None) -> Transition:
    about = TransitionSubject(alert.account, alert.group, alert.level)
    return Transition(alert.fingerprint, alert.rule, as_of, what, because, alert.value, about)
