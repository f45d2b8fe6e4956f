"""The sequential test once more: slow, of one group at a time in plain numbers, as its description says it (docs/decisions/0026)."""

from dataclasses import dataclass, field
from math import copysign, exp, fsum, log, sqrt

from monitor.alerts.kinds.shift.settings import ShiftSettings
from monitor.runtime.clock import DAY, HOUR, MINUTE, Duration, Instant

BLOCK: Duration = 30 * MINUTE


@dataclass
class Segment:
    """The evidence for one alternative, and the messages that it rests on."""

    evidence: float = 0.0
    n: float = 0.0
    f: float = 0.0
    since: Instant = 0

    def take(self, gain: float, n: float, f: float, minute: Instant) -> None:
        since = minute if self.n == 0 else self.since
        evidence = self.evidence + gain
        if evidence > 0:
            self.evidence, self.n, self.f, self.since = evidence, self.n + n, self.f + f, since
        else:
            self.evidence, self.n, self.f, self.since = 0.0, 0.0, 0.0, 0


@dataclass
class Judged:
    """What is worked out of a group's baseline."""

    usual: float
    null: float
    alternatives: list[float]
    needed: list[float]
    quick: float
    slow: float
    drift: float
    weight: float


@dataclass
class Group:
    """One group."""

    daily: float = 0.0
    block_n: float = 0.0
    judged: bool = False
    weight: float = 0.0
    events: float = 0.0
    blocks: float = 0.0
    quick_excess: float = 0.0
    quick_pairs: float = 0.0
    slow_excess: float = 0.0
    slow_pairs: float = 0.0
    drift: float = 0.0
    drift_known: float = 0.0
    minutes: dict[int, list[tuple[float, float]]] = field(default_factory=dict)
    """The counts of the minutes of each block that is not learned yet."""
    segments: list[Segment] = field(default_factory=lambda: [Segment(), Segment(), Segment()])
    drop: Segment = field(default_factory=Segment)
    alarm: bool = False
    alarm_at: Instant = 0
    change_at: Instant = 0
    alternative: float = 0.0
    recovery: float = 0.0
    since_n: float = 0.0
    since_f: float = 0.0


def odds(p: float, factor: float) -> float:
    return factor * p / (1 - p + factor * p)


def logit(p: float) -> float:
    return log(p / (1 - p))


def divergence(p: float, q: float) -> float:
    return p * log(p / q) + (1 - p) * log((1 - p) / (1 - q))


class Oracle:
    """All groups, minute by minute."""

    def __init__(self, groups: int, settings: ShiftSettings) -> None:
        self.groups = [Group() for _ in range(groups)]
        self.settings = settings
        self.begun: Instant | None = None
        self.block = 0
        self.judged_groups = 1
        self.of: list[Judged] = []

    def fold(self, minute: Instant, n: list[int], f: list[int]) -> None:
        if self.begun is None:
            self.begun, self.block = minute, minute // BLOCK
            self._derive()
        suspected = [self._suspected(g, known, minute) for g, known in zip(self.groups, self.of, strict=True)]
        changing = [self._changing(g, known, minute) for g, known in zip(self.groups, self.of, strict=True)]
        while self.block < minute // BLOCK:
            self._next_block(minute, suspected, changing)
        self._reset = False
        for group, known, a, b in zip(self.groups, self.of, n, f, strict=True):
            if a:
                self._take(group, known, minute, float(a), float(b))
        if self._reset:
            self._derive()

    # The baseline

    def _next_block(self, minute: Instant, suspected: list[bool], changing: list[bool]) -> None:
        s = self.settings
        for g in self.groups:
            g.daily = g.daily * (1 - BLOCK / DAY) + g.block_n
            g.block_n = 0.0
            g.judged = g.daily >= (s.least_daily / 2 if g.judged else s.least_daily)
        self.judged_groups = max(sum(g.judged for g in self.groups), 1)
        self.block += 1
        learned = self.block - 3
        for g in (g for g, one in zip(self.groups, suspected, strict=True) if one):
            g.minutes.pop(learned, None)
        variations = [self._variation(g) for g in self.groups]
        for g, (_, slow), suspect in zip(self.groups, variations, suspected, strict=True):
            decay = 0.5 ** (BLOCK / s.half_life) if self._learns(g, minute) and not suspect else 1.0
            n = sum(a for a, _ in g.minutes.get(learned, []))
            f = sum(b for _, b in g.minutes.get(learned, []))
            each = 1 / (1 + max(n - 1, 0) * slow)
            g.weight, g.events = g.weight * decay + n * each, g.events * decay + f * each
            for name in ("blocks", "quick_excess", "quick_pairs", "slow_excess", "slow_pairs"):
                setattr(g, name, getattr(g, name) * decay)
        kept = exp(-BLOCK / s.drift_time)
        for g, (quick, slow), changes in zip(self.groups, variations, changing, strict=True):
            counts = g.minutes.pop(learned, [])
            g.drift, g.drift_known = g.drift * kept, g.drift_known * kept**2
            p = self._drifted(g, g.drift)
            v = p * (1 - p)
            n, f = sum(a for a, _ in counts), sum(b for _, b in counts)
            pairs = sum(a * (a - 1) for a, _ in counts)
            squares = sum((b - a * p) ** 2 / v for a, b in counts)
            each = 1 / (1 + max(n - 1, 0) * slow) ** 2
            once = 1 / (1 + (pairs / n if n else 0) * quick) ** 2
            g.quick_excess += (min(squares, s.winsor**2 * (n + pairs * quick)) - n) * once
            g.quick_pairs += pairs * once
            g.slow_excess += (min((f - n * p) ** 2 / v, s.winsor**2 * (n + n * (n - 1) * slow)) - n) * each
            g.slow_pairs += n * (n - 1) * each
            g.blocks += n > 1
            if n and not changes:
                self._follow(g, n / (1 + (n - 1) * slow), f / n)
        self._derive()

    def _follow(self, g: Group, messages: float, share: float) -> None:
        """A Kalman filter of one number, whose variance without any message is that of all drift."""
        s, p = self.settings, self._usual(g)
        v = p * (1 - p)
        before, chance = s.drift**2 * (1 - g.drift_known), 1 / (messages * v)
        most = s.winsor * sqrt(before + chance)
        gain = before / (before + chance)
        g.drift += gain * min(max((share - p) / v - g.drift, -most), most)
        g.drift_known = 1 - (1 - g.drift_known) * (1 - gain)

    def _changing(self, g: Group, known: Judged, minute: Instant) -> bool:
        s = self.settings
        return self._is_warm(minute) and any(
            one.evidence > s.drift_suspicion * needed and minute - one.since < s.suspected
            for one, needed in zip(g.segments, known.needed, strict=True)
        )

    def _suspected(self, g: Group, known: Judged, minute: Instant) -> bool:
        s = self.settings
        return self._is_warm(minute) and any(
            one.evidence > s.suspicion * needed and minute - one.since < s.suspected and one.n < s.suspected_messages
            for one, needed in zip(g.segments, known.needed, strict=True)
        )

    def _prior(self) -> float:
        """The number of messages that has so many events as the prior, in the whole account."""
        s = self.settings
        all_n = fsum(one.weight for one in self.groups) + s.prior_account_messages
        all_f = fsum(one.events for one in self.groups) + s.prior_account_messages * s.prior_probability
        return s.prior_events / (all_f / all_n)

    def _usual(self, g: Group) -> float:
        p = (g.events + self.settings.prior_events) / (g.weight + self._prior())
        return min(max(p, 1e-4), 0.9)

    def _drifted(self, g: Group, drift: float) -> float:
        return min(max(odds(self._usual(g), exp(drift)), 1e-4), 0.9)

    def _variation(self, g: Group) -> tuple[float, float]:
        s, p = self.settings, self._usual(g)
        prior = s.prior_deviation**2 * p / (1 - p)

        def drawn(excess: float, pairs: float) -> float:
            weight = s.prior_pairs + s.prior_blocks * pairs / max(g.blocks, 1)
            return min(max((excess + weight * prior) / (pairs + weight), 0.0), s.most_overdispersion)

        least = s.least_deviation**2 * p / (1 - p)
        return drawn(g.quick_excess, g.quick_pairs), max(drawn(g.slow_excess, g.slow_pairs), least)

    def _derive(self) -> None:
        self.of = [self._judged(g) for g in self.groups]

    def _judged(self, g: Group) -> Judged:
        s, (quick, slow) = self.settings, self._variation(g)
        kept = exp(-HOUR / s.drift_time)
        p = self._drifted(g, g.drift * kept)
        weight, v = g.weight + self._prior(), p * (1 - p)
        null = min(p + s.null_deviations * sqrt(slow * v + v / weight), 0.95)
        first = max(odds(p, s.odds), odds(null, s.above_null), s.floors[0])
        second = max(odds(first, s.steps[0]), s.floors[1])
        third = max(odds(first, s.steps[1]), s.floors[2])
        alternatives = [min(one, 1 - 1e-4) for one in (first, second, third)]
        active = [one.daily for one in self.groups if one.daily > 0]
        daily = g.daily or (fsum(active) / len(active) if active else s.least_daily)
        messages = daily * s.false_alarm_every / DAY * self.judged_groups
        kls = [divergence(null, one) for one in alternatives]
        needed = [max(log(max(messages * kl, 1.0)) + s.alternatives, s.least_threshold) for kl in kls]
        return Judged(p, null, alternatives, needed, quick, slow, s.drift**2 * (1 - g.drift_known * kept**2), weight)

    def _is_warm(self, minute: Instant) -> bool:
        assert self.begun is not None
        return minute - self.begun >= self.settings.warm

    def _learns(self, g: Group, minute: Instant) -> bool:
        return not self._is_warm(minute) or not g.alarm or minute - g.alarm_at >= self.settings.new_normal

    # The test

    def _take(self, g: Group, known: Judged, minute: Instant, n: float, f: float) -> None:
        s = self.settings
        g.block_n += n
        g.judged |= g.daily + g.block_n >= s.least_daily or (g.alarm and g.block_n >= s.least_alone)
        if self._learns(g, minute):
            g.minutes.setdefault(minute // BLOCK, []).append((n, f))
        counted = min(n, max(s.least_burst, s.burst * g.daily * MINUTE / DAY))
        deff = (1 + (counted - 1) * known.quick) * n / counted
        if g.alarm:
            self._recover(g, known, minute, n, f, deff)
            return
        for segment, p1 in zip(g.segments, known.alternatives, strict=True):
            gain = (f * log(p1 / known.null) + (n - f) * log((1 - p1) / (1 - known.null))) / deff
            segment.take(gain, n, f, minute)
        over, best = max(
            ((one.evidence - needed, one) for one, needed in zip(g.segments, known.needed, strict=True)),
            key=lambda pair: pair[0],
        )
        if over > 0 and self._deviations(known, best, 1 + (minute - best.since) / BLOCK) > s.gate:
            self._alarm(g, known, minute, best)
        elif self._is_warm(minute) and minute - (self.begun or 0) < s.learn:
            lower = odds(known.usual, 1 / s.odds)
            gain = f * log(lower / known.usual) + (n - f) * log((1 - lower) / (1 - known.usual))
            g.drop.take(gain / deff, n, f, minute)
            if g.drop.evidence > known.needed[0] and self._deviations(known, g.drop, 1.0) < -s.gate:
                g.weight, g.events = g.drop.n, g.drop.f
                g.drift = g.drift_known = 0.0
                g.blocks = g.quick_excess = g.quick_pairs = g.slow_excess = g.slow_pairs = 0.0
                g.drop, g.minutes, self._reset = Segment(), {}, True

    def _deviations(self, known: Judged, segment: Segment, blocks: float) -> float:
        p, p0 = min(max(segment.f / segment.n, 1e-4), 1 - 1e-4), known.usual
        v = p0 * (1 - p0)
        distance = logit(p) - logit(p0)
        by_chance = 2 * segment.n * divergence(p, p0)
        unknown = min(1 / (known.weight * v), self.settings.most_unknown**2)
        by_itself = distance**2 / (known.drift + known.slow / v / blocks + unknown)
        return copysign(1 / sqrt(1 / max(by_chance, 1e-9) + 1 / max(by_itself, 1e-9)), distance)

    def _alarm(self, g: Group, known: Judged, minute: Instant, best: Segment) -> None:
        g.alarm, g.alarm_at, g.change_at = True, minute, best.since
        g.since_n, g.since_f, g.recovery, g.drop = best.n, best.f, 0.0, Segment()
        least = known.alternatives[0]
        g.alternative = min(max((best.f + least) / (best.n + 1), least), 1 - 1e-4)
        if self._is_warm(minute):
            g.minutes = {block: counts for block, counts in g.minutes.items() if block < best.since // BLOCK}

    def _recover(self, g: Group, known: Judged, minute: Instant, n: float, f: float, deff: float) -> None:
        s = self.settings
        g.since_n += n
        g.since_f += f
        young = minute - g.alarm_at <= s.pending
        least = known.alternatives[0]
        p1 = g.alternative if young else 1 / (1 + exp(-(logit(g.alternative) + logit(least)) / 2))
        gain = (f * log(known.null / p1) + (n - f) * log((1 - known.null) / (1 - p1))) / deff
        g.recovery = max(g.recovery + gain, 0.0)
        if g.recovery > (s.blip_over if young else s.over):
            g.alarm, g.alarm_at, g.change_at, g.alternative = False, 0, 0, 0.0
            g.recovery = g.since_n = g.since_f = 0.0
            g.segments = [Segment(), Segment(), Segment()]
