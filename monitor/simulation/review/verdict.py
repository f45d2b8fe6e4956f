"""What is wrong with a rule, as its past shows it, and one sentence of advice."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Final, Literal

from monitor.alerts.kinds import kind_of
from monitor.config.rules import Rule
from monitor.model.format import number
from monitor.model.plurals import plural
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND, Duration, format_duration
from monitor.runtime.dataclass import dataclass
from monitor.simulation.review.alerts import SOON, AlertTotals
from monitor.simulation.review.overlap import Overlap
from monitor.simulation.review.reach import Nearest

Verdict = Literal[
    "noisy",
    "never could fire",
    "always with another",
    "never acknowledged",
    "flapping",
    "not judged",
    "quiet",
    "too little past",
    "good",
]
WORST_FIRST: Final[tuple[Verdict, ...]] = (
    "noisy",
    "never could fire",
    "always with another",
    "never acknowledged",
    "flapping",
    "not judged",
    "quiet",
    "too little past",
    "good",
)
NOISY: Final = 7.0
"""More alerts a week than this are noise: one a day."""
ENOUGH_ALERTS: Final = 3
"""Fewer alerts than this show no habit."""
TOGETHER: Final = 0.8
"""The share of a rule's alerts that must come with another rule's."""
SELDOM: Final = 0.25
"""A rule that fires for more of the time than this comes together with all others by chance."""
FLAPPING: Final = 1 / 3
"""The share of a rule's alerts that must have come back soon."""
LONG_ENOUGH: Final[Duration] = 3 * DAY
"""How long a past must be to say how often a rule fires, and whether anybody cares."""


@dataclass(slots=True)
class RuleReview:
    """One rule and its past. ``judged`` is None where the rule cannot be judged over the past.

    ``small`` of all ``groups`` never had ``min_messages``. ``never`` says why the rule could not have fired; empty if it could. ``step`` is how
    often it was judged.
    """

    rule: Rule
    raised: AlertTotals
    judged: AlertTotals | None
    overlaps: Sequence[Overlap] = ()
    nearest: Nearest | None = None
    never: Sequence[str] = ()
    small: Sequence[tuple[tuple[str, str], ...]] = ()
    groups: int = 0
    unknown: str = ""
    step: Duration = 0
    verdict: Verdict = field(default="good", init=False)
    advice: str = field(default="", init=False)

    @property
    def usual(self) -> AlertTotals:
        """The alerts by which the rule is told: those that were raised, or where there are none those that it would have raised."""
        return self.raised if self.raised.alerts or self.judged is None else self.judged

    @property
    def often(self) -> float:
        """Alerts a week: of the rule as it is now, if enough of the past could be judged."""
        judged = self.judged
        if judged is not None and judged.known >= LONG_ENOUGH:
            return judged.a_week or 0.0
        return (self.raised.a_week or 0.0) if self.raised.known >= LONG_ENOUGH else 0.0

    @property
    def known(self) -> Duration:
        """How long the past is that is known, raised or judged."""
        return max(self.raised.known, self.lookable)

    @property
    def lookable(self) -> Duration:
        """How long the past is whose messages are known."""
        return self.judged.known if self.judged is not None else 0

    @property
    def needs(self) -> Duration:
        """How much of the past shows whether the rule can fire: what it looks back at or learns from, and at least `LONG_ENOUGH`."""
        return max(LONG_ENOUGH, self.rule.reach)

    @property
    def is_too_young(self) -> bool:
        """Whether it lacked data and that may be only because so little of the past is known. A value that no message has is told at once."""
        return self.judged is not None and self.lookable < self.needs and not any(map(_is_missing_value, self.never))


def weigh(reviews: Sequence[RuleReview]) -> list[RuleReview]:
    """Gives each review its verdict and advice, and returns them, the worst first."""
    by_name = {one.rule.name: one for one in reviews}
    for one in reviews:
        one.verdict, one.advice = _judgement(one, by_name)
    return sorted(reviews, key=lambda one: (WORST_FIRST.index(one.verdict), -len(one.usual.alerts), one.rule.name))


def _judgement(one: RuleReview, others: Mapping[str, RuleReview]) -> tuple[Verdict, str]:
    """The worst that there is to say."""
    usual, alerts = one.usual, len(one.usual.alerts)
    if one.often > NOISY and alerts >= ENOUGH_ALERTS:
        return "noisy", _less(one)
    if one.never and not alerts and not usual.reports:
        if one.is_too_young:
            return "too little past", _too_little(one, one.lookable, "; ".join(one.never))
        return "never could fire", f"{_capital('; '.join(one.never))}. {_mend(one)}"
    wider = next((overlap for overlap in one.overlaps if _is_always_with(one, overlap, others)), None)
    if wider is not None:
        same = f"{wider.together} of {plural(wider.alerts, 'alert')} fired together with {wider.other}"
        return "always with another", f"{same}: consider one incident for both, or an inhibition rule."
    unheard = not one.raised.acknowledged and not one.raised.silenced
    if len(one.raised.alerts) >= ENOUGH_ALERTS and unheard and one.raised.known >= LONG_ENOUGH:
        count = plural(len(one.raised.alerts), "alert")
        return (
            "never acknowledged",
            f"Nobody acknowledged or silenced any of {count}: if nobody acts on them, give the rule the severity info.",
        )
    if usual.came_back >= ENOUGH_ALERTS and usual.came_back >= FLAPPING * alerts:
        kept, soon = format_duration(one.rule.keep_firing_for), format_duration(SOON)
        back = f"{usual.came_back} of {plural(alerts, 'alert')} fired again within {soon}"
        return "flapping", f"{back}: a longer keep_firing_for (now {kept}) makes one alert of them."
    if one.judged is None and not alerts:
        return "not judged", f"{_capital(one.unknown)}." if one.unknown else "It cannot be evaluated over the past."
    if not alerts and not usual.reports:
        return "quiet", _why_quiet(one)
    if one.known < LONG_ENOUGH:
        return "too little past", _too_little(one, one.known)
    return "good", "Nothing to change."


def _too_little(one: RuleReview, known: Duration, why: str = "") -> str:
    shown, least = format_duration(whole(known)), format_duration(one.needs if why else LONG_ENOUGH)
    what = "whether it can fire" if why else "whether it is good or noisy"
    return f"Only {shown} of its past are known{f': {why}' if why else ''}. After {least} this command can say {what}."


def _less(one: RuleReview) -> str:
    who = (
        f"{one.raised.acknowledged} of {plural(len(one.raised.alerts), 'alert')} acknowledged"
        if one.raised.alerts
        else ""
    )
    often = f"{number(one.often)} alerts a week{f', {who}' if who else ''}"
    tuning = kind_of(one.rule).tuning
    if not tuning.thresholds(one.rule):
        return f"{_capital(often)}; no threshold can be proposed: {tuning.why_none(one.rule)}."
    return f"{_capital(often)}: `backtest --suggest --rule {one.rule.name}` proposes a threshold for 1 a week."


def _why_quiet(one: RuleReview) -> str:
    """Why a rule that could have fired did not."""
    nearest = one.nearest
    if nearest is None or not nearest.crossed:
        seen = (
            f" when it was evaluated, once every {format_duration(one.step)}"
            if one.rule.for_ and one.step > one.rule.for_
            else ""
        )
        return f"It could have fired, but its threshold was never crossed{seen}."
    times = "once" if nearest.crossed == 1 else f"{number(nearest.crossed)} times"
    held = f", but never for as long as its for ({format_duration(one.rule.for_)})" if one.rule.for_ else ""
    return f"Its threshold was crossed {times}{held}."


def whole(span: Duration) -> Duration:
    """Returns a span cut to minutes, from a day on to hours."""
    unit = HOUR if span >= DAY else MINUTE
    return max(span // unit * unit, SECOND)


def _mend(one: RuleReview) -> str:
    if any("min_messages" in why for why in one.never):
        return "Lower min_messages, lengthen the window, or group by less."
    if any(map(_is_missing_value, one.never)):
        return "Mend the value, or take the rule out."
    return "`explain` shows what it lacks."


def _is_missing_value(why: str) -> bool:
    return "no message has" in why


def _is_always_with(one: RuleReview, overlap: Overlap, others: Mapping[str, RuleReview]) -> bool:
    """Whether nearly all of its alerts come with another rule's; of two rules that always come together the narrower one is told."""
    if overlap.alerts < ENOUGH_ALERTS or overlap.share < TOGETHER:
        return False
    other = others.get(overlap.other)
    if other is None or other.usual.busy > SELDOM:
        return False
    back = next((found for found in other.overlaps if found.other == one.rule.name), None)
    mutual = back is not None and back.alerts >= ENOUGH_ALERTS and back.share >= TOGETHER
    return not mutual or _rank(one) > _rank(other)


def _rank(one: RuleReview) -> tuple[int, int, str]:
    """Greater for a rule with narrower groups, then with more alerts."""
    return len(one.rule.grouping), len(one.usual.alerts), one.rule.name


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
