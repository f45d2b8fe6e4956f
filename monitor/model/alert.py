"""The state machine of one alert: pending, firing, resolved. Pure: the time is an argument, and nothing is sent.

Each level of a rule has two clocks: since when its threshold has been crossed without a break (for ``for``), and when it was last
crossed (for ``keep_firing_for``). A level is *on* from the end of ``for`` to the end of ``keep_firing_for``. An alert's level is the
number of levels that are on. So an alert escalates as soon as a worse level has lasted for ``for``, and it eases as slowly as it
resolves. "Not enough data" starts and ends nothing: a pending alert is dropped, and a firing one goes on, marked, until
``forget_after`` has passed. A level that was not on yet starts its ``for`` again, because it was not seen crossed without a break.

A resolved alert is kept until its end has been notified. If its group crosses a threshold again before that, the new pending alert
has it as ``earlier``, so that its end can still be notified. It comes back if the new alert is dropped.
"""

import hashlib
from functools import lru_cache
from typing import Literal

import msgspec

from monitor.model.finding import Finding, excess
from monitor.model.incident import IncidentScope
from monitor.model.notification import AlertView
from monitor.runtime.clock import Duration, Instant
from monitor.runtime.dataclass import dataclass

State = Literal["pending", "firing", "resolved"]
Because = Literal["recovered", "no_data", "removed", "outranked", "end_not_seen"]
"""Why an alert was resolved. ``outranked``: the rule's ``limit`` lets only the worst groups fire, and a worse one took its place.
``end_not_seen``: the store lost the alert, so that nobody knows when it ended."""
What = Literal["pending", "dropped", "fired", "escalated", "eased", "resolved", "acknowledged", "unacknowledged"]


class LevelClock(msgspec.Struct, frozen=True, gc=False):
    """One level's clocks: ``since`` is when it was crossed (None: not crossed now), ``last`` when it was last found to be crossed.

    ``on`` is true from the moment at which it has been crossed for the rule's ``for`` until ``keep_firing_for`` has passed.
    """

    since: Instant | None = None
    last: Instant | None = None
    on: bool = False


class Alert(msgspec.Struct, frozen=True, gc=False):
    """One group of one rule that crosses its threshold, or did. ``level`` counts from 1; it is 0 while pending.

    ``held`` has a clock for each level. ``as_of`` is the instant of the latest evaluation with data.
    """

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
    """How it was last shown while it fired; on a shared store, as it is to be shown where its rule is not known (`monitor.dispatch.untold_views`).

    Receivers that know alerts by labels must get the end with the same labels.
    """

    is_untold: bool = False
    """Whether no notification has shown it as ``view`` has it, so that nobody knows it by those labels."""

    earlier: "Alert | None" = None
    """While it is pending: the resolved alert of the same group whose end may still have to be notified."""

    below: bool = False
    """Whether low values are bad."""

    incident: IncidentScope | None = None
    """The incident that it belongs to since it fires; None where its rule has none."""

    severity: str = ""
    """The severity of its latest recorded transition since it fires; empty if an older version recorded that."""

    @property
    def fingerprint(self) -> str:
        """Returns 16 hexadecimal digits that identify the rule's group. They stay the same over restarts and severities."""
        return fingerprint(self.account, self.rule, self.group)

    @property
    def is_report(self) -> bool:
        """Whether it reports that a campaign has ended; see `AlertView.is_report`."""
        return is_report(self.group)

    @property
    def excess(self) -> float:
        """Returns how far the value is beyond the threshold, as a factor; under 1 while the alert fires on after it has recovered."""
        return excess(self.value, self.threshold, below=self.below)

    @property
    def crossed(self) -> int:
        """Returns how many levels the value crossed when it was last known."""
        return sum(clock.since is not None for clock in self.held)


def is_report(group: tuple[tuple[str, str], ...]) -> bool:
    """Returns whether alerts of this group are reports of ended campaigns."""
    return ("problem", "ended") in group


@lru_cache(1 << 15)  # requested several times per alert in each evaluation
def fingerprint(account: str, rule: str, group: tuple[tuple[str, str], ...]) -> str:
    """Returns 16 hexadecimal digits that identify one group of one rule of one account, in any order of the group's fields."""
    text = msgspec.json.encode([account, rule, sorted(group)])
    return hashlib.blake2b(text, digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Policy:
    """The parts of a rule that the state machine needs. ``levels`` is their number; ``below`` means that low values are bad."""

    for_: Duration = 0
    keep_firing_for: Duration = 0
    levels: int = 1
    below: bool = False
    forget_after: Duration = 6 * 3_600_000_000


class TransitionSubject(msgspec.Struct, frozen=True, gc=False):
    """The alert of a transition, its level afterwards and the id of its incident; for a person's action also the name and the comment.

    ``severity`` is that of the level as the rule was then; empty if it is unknown, as in rows that older versions stored.
    """

    account: str
    group: tuple[tuple[str, str], ...]
    level: int = 0
    by: str = ""
    comment: str = ""
    incident: str = ""
    severity: str = ""


class Transition(msgspec.Struct, frozen=True, gc=False):
    """A change of an alert's state. ``about`` is None in rows that older versions stored."""

    fingerprint: str
    rule: str
    at: Instant
    what: What
    because: Because | None = None
    value: float | None = None
    about: TransitionSubject | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Transition) and _told(self) == _told(other)

    def __hash__(self) -> int:
        return hash(_told(self))


def _told(one: Transition) -> tuple[object, ...]:
    """Returns by what transitions are equal: all that rows of every version have."""
    return one.fingerprint, one.rule, one.at, one.what, one.because, one.value


Step = tuple[Alert | None, Transition | None]
"""The alert after a step (None: inactive), and the change that it made, if any."""


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
    """Returns the alert after one more evaluation, and the transition if there was one.

    None stands for an *inactive* alert. A resolved alert is inactive too, and is returned unchanged until its group crosses a threshold
    again. Without ``may_fire`` an alert that would begin to fire stays pending; see `is_held_back`.
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
    """Returns until when an alert fires only because of ``keep_firing_for``. Returns None if it does not fire, has not enough data, or one of
    its levels is still crossed."""
    on = [clock for clock in alert.held if clock.on]
    if alert.state != "firing" or alert.no_data_since is not None or any(clock.since is not None for clock in on):
        return None
    return max((clock.last + policy.keep_firing_for for clock in on if clock.last is not None), default=None)


def forgotten_at(alert: Alert, policy: Policy) -> Instant | None:
    """Returns when a firing alert ends if there is not enough data until then. Returns None if it does not fire, or there is enough."""
    if alert.state != "firing" or alert.no_data_since is None:
        return None
    return alert.no_data_since + policy.forget_after


def next_level(alert: Alert, policy: Policy) -> tuple[Instant, int] | None:
    """Returns when the alert fires or escalates if its value stays the same, and at which level. Returns None if it will not, or if it is
    held back."""
    waiting = [clock.since + policy.for_ for clock in alert.held[alert.level :] if clock.since is not None]
    if alert.state == "resolved" or is_held_back(alert) or not waiting:
        return None
    first = min(waiting)
    level = sum(clock.on or (clock.since is not None and clock.since + policy.for_ <= first) for clock in alert.held)
    return (first, level) if level > alert.level else None


def remove(alert: Alert, as_of: Instant, because: Because = "removed") -> Step:
    """Ends an alert whose rule was removed or no longer covers its group: resolves a firing one, drops a pending one."""
    if alert.state == "firing":
        return _resolve(alert, as_of, because)
    return _dropped(alert, as_of) if alert.state == "pending" else (alert, None)


def displace(alert: Alert, as_of: Instant) -> Step:
    """Resolves a firing alert whose place within the rule's ``limit`` goes to a worse group. If it still crosses its threshold, it becomes
    pending again and is held back."""
    if not alert.crossed:
        return _resolve(alert, as_of, "recovered")
    over, moved = _resolve(alert, as_of, "outranked")
    return msgspec.structs.replace(alert, state="pending", level=0, firing_at=None, earlier=over), moved


def rests_on_the_past(alert: Alert, breached: int | None, policy: Policy) -> bool:
    """Returns whether the alert's next state depends on what happened since its last evaluation, now that ``breached`` levels are crossed."""
    if breached is None:
        return False
    if alert.state == "pending":
        return breached > 0 and policy.for_ > 0
    waits = any(clock.since is not None and not clock.on for clock in alert.held[:breached])
    return alert.state == "firing" and (waits or (breached < alert.level and policy.keep_firing_for > 0))


def catch_up(account: str, rule: str, alert: Alert | None, finding: Finding, policy: Policy, as_of: Instant) -> Step:
    """Returns the alert after one moment of a time without evaluations, of which ``finding`` was found out later, and the transition.

    Only the clocks move. Nothing begins to fire, and a firing alert goes on at its level: the finding for the present decides that.
    """
    if alert is not None and alert.state == "firing":
        return _followed(alert, finding.breached, policy, as_of), None
    return advance(account, rule, alert, finding, policy, as_of, may_fire=False)


def _begun(account: str, rule: str, finding: Finding, over: Alert | None, as_of: Instant) -> Alert:
    begun = Alert(account, rule, finding.group, "pending", (), as_of, as_of, earlier=over)
    return begun if over is None else msgspec.structs.replace(begun, view=over.view, is_untold=over.is_untold)


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
    """Returns the clocks after an evaluation without enough data: a clock that is not on yet starts again."""
    return tuple(clock if clock.on else LevelClock() for clock in held)


def _followed(alert: Alert, breached: int | None, policy: Policy, as_of: Instant) -> Alert:
    """Returns a firing alert with its clocks moved to a past moment. Levels at which it fires stay on."""
    if breached is None:
        return msgspec.structs.replace(alert, held=_interrupted(alert.held))
    clocks = _clocks(alert.held, breached, policy, as_of)
    held = (msgspec.structs.replace(clock, on=clock.on or i < alert.level) for i, clock in enumerate(clocks))
    return msgspec.structs.replace(alert, held=tuple(held))


def _clocks(held: tuple[LevelClock, ...], breached: int, policy: Policy, as_of: Instant) -> tuple[LevelClock, ...]:
    clocks = (*held[: policy.levels], *(LevelClock() for _ in range(policy.levels - len(held))))
    return tuple(_tick(clock, breached > i, policy, as_of) for i, clock in enumerate(clocks))


def _tick(clock: LevelClock, crossed: bool, policy: Policy, as_of: Instant) -> LevelClock:
    """Returns one clock after one more evaluation. Times after ``as_of`` were stored before the clock was set back; they count as ``as_of``."""
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
    # A built-in alert begins by the wall clock, which may have been set back since.
    end = as_of if alert.firing_at is None else max(as_of, alert.firing_at)
    over = msgspec.structs.replace(alert, state="resolved", resolved_at=end, because=because, as_of=as_of)
    return over, _moved(over, as_of, "resolved", because)


def recorded_severity(alert: Alert) -> str:
    """Returns the severity of its latest transition; of alerts that older versions stored the one with which it was shown; empty if unknown."""
    return alert.severity or ("" if alert.view is None else alert.view.severity)


def _moved(alert: Alert, as_of: Instant, what: What, because: Because | None = None) -> Transition:
    about = TransitionSubject(alert.account, alert.group, alert.level)
    return Transition(alert.fingerprint, alert.rule, as_of, what, because, alert.value, about)
