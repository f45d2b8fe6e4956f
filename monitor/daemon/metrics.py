"""This daemon's Prometheus metrics. Every name begins with ``routee_monitor_``; docs/metrics.md lists them all.

Things that happen are counted and timed where they happen. Things that *are* (alerts, ages, backlogs) are kept as the latest
whole picture and turned into samples when somebody asks, so that what is gone leaves no stale series and ages are right to
the second. Label values come from the configuration or from this program; the outcomes of requests, which others have a
hand in, are bounded.
"""

import platform
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Histogram, Info, ProcessCollector, Summary
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from monitor.model.alert import Alert
from monitor.runtime.clock import SECOND, Clock, Instant

PREFIX = "routee_monitor"

PollOutcome = Literal["complete", "failed"]
NotificationOutcome = Literal["sent", "retry", "rejected"]

_FAST = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SLOW = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_MOST_OUTCOMES = 40


class Metrics:
    """One daemon's metrics, on a registry of their own. Durations are handed in as seconds, moments as instants."""

    def __init__(self, clock: Clock) -> None:
        self.version = version("routee-monitor")
        self._registry = _Registry()
        self._outcomes = _Bounded(_MOST_OUTCOMES)
        self._now = _Now(clock)
        self._polling()
        self._judging()
        self._telling()
        self._registry.register(self._now)
        ProcessCollector(registry=self._registry)
        build = Info("build", "The version that runs.", namespace=PREFIX, registry=self._registry)
        build.info({"version": self.version, "python": platform.python_version()})

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """All metrics and their content type: OpenMetrics where ``accept`` (the request's header) asks for it, else Prometheus text."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, namespace=PREFIX, registry=self._registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, text, labels, namespace=PREFIX, registry=self._registry, buckets=buckets)

    def _summary(self, name: str, text: str, *labels: str) -> Summary:
        return Summary(name, text, labels, namespace=PREFIX, registry=self._registry)

    # Polling

    def _polling(self) -> None:
        search = ("account", "search")
        self._polls = self._counter("polls", "Polls by how they ended.", *search, "outcome")
        self._poll_seconds = self._histogram("poll_duration_seconds", "How long a poll took.", _SLOW, *search)
        self._pages = self._counter("pages", "Pages of messages that were read.", *search)
        self._aside = self._counter("records_set_aside", "Records that could not be read.", *search)
        self._unread = self._counter("values_unread", "Values that are not numbers.", *search, "field")
        self._requests = self._counter(
            "requests", "Requests to Routee by how they ended.", "account", "endpoint", "outcome"
        )
        self._request_seconds = self._histogram(
            "request_duration_seconds", "How long Routee took to answer.", _FAST, "account", "endpoint"
        )

    def searches(self, searches: Iterable[tuple[str, str]]) -> None:
        """The (account, search) that are polled from now on: their counters start at 0, those of others are dropped."""
        configured = list(searches)
        outcomes: tuple[PollOutcome, ...] = ("complete", "failed")
        for account, search in configured:
            for outcome in outcomes:
                self._polls.labels(account, search, outcome)
            self._pages.labels(account, search)
            self._aside.labels(account, search)
            for value in ("latency", "price"):
                self._unread.labels(account, search, value)
        self._now.blind = {key: self._now.blind.get(key, False) for key in configured}
        self._now.as_of = {key: as_of for key, as_of in self._now.as_of.items() if key in self._now.blind}
        accounts = {account for account, _ in configured}
        self._now.messages = {account: count for account, count in self._now.messages.items() if account in accounts}

    def poll(self, account: str, search: str, outcome: PollOutcome, seconds: float) -> None:
        """One poll ended."""
        self._polls.labels(account, search, outcome).inc()
        self._poll_seconds.labels(account, search).observe(seconds)

    def pages(self, account: str, search: str, count: int = 1) -> None:
        """That many pages were read."""
        self._pages.labels(account, search).inc(count)

    def set_aside(self, account: str, search: str, count: int = 1) -> None:
        """That many records could not be read."""
        self._aside.labels(account, search).inc(count)

    def unread(self, account: str, search: str, field: str, count: int = 1) -> None:
        """That many values of a field could not be read."""
        self._unread.labels(account, search, field).inc(count)

    def request(self, account: str, endpoint: str, outcome: str, seconds: float) -> None:
        """One request to Routee ended. ``functools.partial(metrics.request, account)`` observes an account's client."""
        self._requests.labels(account, endpoint, self._outcomes(outcome)).inc()
        self._request_seconds.labels(account, endpoint).observe(seconds)

    def watermark(self, account: str, search: str, as_of: Instant) -> None:
        """The search is polled completely up to ``as_of``."""
        self._now.as_of[account, search] = as_of

    def blind(self, account: str, search: str, blind: bool) -> None:
        """Whether the search could not be polled for too long."""
        self._now.blind[account, search] = blind

    # Reloading

    def reloaded(self, *, successful: bool) -> None:
        """The configuration was taken up, at the start too, or was not."""
        self._now.reload_successful = successful
        if successful:
            self._now.reloaded_at = self._now.clock.now()

    # Judging

    def _judging(self) -> None:
        self._rule_seconds = self._summary("rule_evaluation_seconds", "Evaluations of a rule: time and number.", "rule")
        self._rule_errors = self._counter("rule_errors", "Evaluations that failed.", "rule")
        self._commit_seconds = self._histogram(
            "store_commit_duration_seconds", "How long the transaction of a poll took.", _FAST
        )
        self._store_errors = self._counter("store_errors", "Reads and writes of the store that failed.")

    def window(self, account: str, messages: int) -> None:
        """How many messages the account's window holds."""
        self._now.messages[account] = messages

    def evaluation(self, rule: str, seconds: float) -> None:
        """A rule was evaluated."""
        self._rule_seconds.labels(rule).observe(seconds)
        self._rule_errors.labels(rule)

    def rule_error(self, rule: str) -> None:
        """A rule could not be evaluated."""
        self._rule_errors.labels(rule).inc()

    def alerts(self, account: str, rules: Iterable[str], alerts: Iterable[Alert]) -> None:
        """All alerts of an account after an evaluation, and the names of all rules that are judged there."""
        tally = Tally((alert.rule, alert.state) for alert in alerts)
        self._now.alerts[account] = {
            (rule, state): tally[rule, state] for rule in rules for state in ("pending", "firing")
        }

    def commit(self, seconds: float) -> None:
        """The store took a poll."""
        self._commit_seconds.observe(seconds)

    def store_error(self) -> None:
        """The store could not be read or written."""
        self._store_errors.inc()

    # Telling

    def _telling(self) -> None:
        channel = ("receiver", "channel")
        self._notifications = self._counter(
            "notifications", "Attempts to notify by how they ended.", *channel, "outcome"
        )
        self._notification_seconds = self._histogram(
            "notification_duration_seconds", "How long an attempt to notify took.", _SLOW, *channel
        )

    def receivers(self, channels: Iterable[tuple[str, str]]) -> None:
        """The (receiver, channel) that are told from now on: their counters start at 0."""
        outcomes: tuple[NotificationOutcome, ...] = ("sent", "retry", "rejected")
        self._now.channels = set(channels)
        for receiver, channel in self._now.channels:
            for outcome in outcomes:
                self._notifications.labels(receiver, channel, outcome)

    def notification(self, receiver: str, channel: str, outcome: NotificationOutcome, seconds: float) -> None:
        """One attempt to notify ended; a rejected one is a dead letter more."""
        self._notifications.labels(receiver, channel, outcome).inc()
        self._notification_seconds.labels(receiver, channel).observe(seconds)
        if outcome == "rejected":
            dead = self._now.dead_letters
            dead[receiver, channel] = dead.get((receiver, channel), 0) + 1

    def backlog(self, waiting: Mapping[tuple[str, str], tuple[int, Instant]]) -> None:
        """What waits in the outbox, as `Store.backlog` gives it: channels that are not named have nothing waiting."""
        self._now.backlog = dict(waiting)

    def failing(self, channels: Iterable[tuple[str, str]]) -> None:
        """The (receiver, channel) that take nothing now."""
        self._now.failing = set(channels)

    def dead_letters(self, counts: Mapping[tuple[str, str], int]) -> None:
        """How many dead letters the store holds by receiver and channel."""
        self._now.dead_letters = dict(counts)


class _Bounded:
    """Lets the first ``most`` different values through and calls every other one ``other``."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._seen: set[str] = set()

    def __call__(self, value: str) -> str:
        if len(self._seen) < self._most and len(value) <= 40:
            self._seen.add(value)
        return value if value in self._seen else "other"


class _Registry(CollectorRegistry):
    """Leaves out the ``_created`` samples, which double the counters and tell no more than the process's start."""

    def collect(self) -> Iterator[Metric]:
        for metric in super().collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric


@dataclass(eq=False)
class _Now(Collector):
    """The latest picture of what can be seen at any moment, made into samples when they are asked for."""

    clock: Clock
    as_of: dict[tuple[str, str], Instant] = field(default_factory=dict)
    blind: dict[tuple[str, str], bool] = field(default_factory=dict)
    messages: dict[str, int] = field(default_factory=dict)
    alerts: dict[str, dict[tuple[str, str], int]] = field(default_factory=dict)
    backlog: dict[tuple[str, str], tuple[int, Instant]] = field(default_factory=dict)
    dead_letters: dict[tuple[str, str], int] = field(default_factory=dict)
    channels: set[tuple[str, str]] = field(default_factory=set)
    failing: set[tuple[str, str]] = field(default_factory=set)
    reload_successful: bool = True
    reloaded_at: Instant = 0

    def collect(self) -> Iterator[Metric]:
        search, channel = ("account", "search"), ("receiver", "channel")
        messages = {(account,): count for account, count in self.messages.items()}
        waiting = {key: count for key, (count, _) in self.backlog.items()}
        oldest = {key: since for key, (_, since) in self.backlog.items()}
        yield _gauge(
            "watermark_age_seconds", "Time since the end of the last complete poll.", search, self._ages(self.as_of)
        )
        yield _gauge("blind", "1 while a search cannot be polled.", search, self.blind.items())
        yield _gauge("window_messages", "Messages in the window.", ("account",), messages.items())
        yield _gauge(
            "alerts", "Alerts by state, after the last evaluation.", ("account", "rule", "state"), self._alerts()
        )
        yield _gauge("outbox_waiting", "Notifications that are still to be sent.", channel, waiting.items())
        yield _gauge(
            "outbox_oldest_age_seconds", "Age of the oldest that is still to be sent.", channel, self._ages(oldest)
        )
        failing = {key: key in self.failing for key in sorted(self.channels | self.failing)}
        yield _gauge("channel_failing", "1 while a channel accepts no notification.", channel, failing.items())
        yield _gauge("dead_letters", "Notifications that can never be sent.", channel, self.dead_letters.items())
        good, at = [((), self.reload_successful)], [((), self.reloaded_at / SECOND)]
        yield _gauge(
            "config_last_reload_successful", "1 if the last reload of the configuration succeeded, else 0.", (), good
        )
        yield _gauge(
            "config_last_reload_success_timestamp_seconds",
            "Time of the last successful load of the configuration.",
            (),
            at,
        )

    def _alerts(self) -> list[tuple[tuple[str, str, str], int]]:
        return [((account, *key), count) for account, counts in self.alerts.items() for key, count in counts.items()]

    def _ages(self, since: Mapping[tuple[str, str], Instant]) -> list[tuple[tuple[str, str], float]]:
        now = self.clock.now()
        return [(key, max(now - instant, 0) / SECOND) for key, instant in since.items()]


def _gauge(name: str, text: str, labels: tuple[str, ...], values: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
    family = GaugeMetricFamily(f"{PREFIX}_{name}", text, labels=labels)
    for key, value in values:
        family.add_metric(key, float(value))
    return family


Observer = Callable[[str, str, float], None]
"""(endpoint, outcome, seconds): how an account's client tells of its requests."""
