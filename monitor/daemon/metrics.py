"""This daemon's Prometheus metrics. Every name begins with ``routee_monitor_``; docs/metrics.md lists them all.

Events are counted and timed where they happen. States (alerts, ages, backlogs) are kept as the latest values and turned into samples at each
scrape, so that removed things leave no stale series and ages are right to the second. Label values come from the configuration or from this
program. The outcomes of requests, and the countries and operators of messages, depend on others, so the number of their values is bounded.
"""

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field
from importlib.metadata import version
from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Histogram, Info, ProcessCollector, Summary
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from monitor.daemon.delivery_counters import DeliveryCounters
from monitor.model.alert import State
from monitor.runtime.clock import SECOND, Clock, Instant
from monitor.runtime.dataclass import dataclass

PREFIX = "routee_monitor"

PollOutcome = Literal["complete", "failed"]
TokenKind = Literal["bearer", "form"]
CallbackOutcome = Literal["taken", "set_aside", "unauthorized", "refused", "unavailable"]
NotificationOutcome = Literal["sent", "retry", "rejected"]

_FAST = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SLOW = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_MOST_OUTCOMES = 40
_MOST_STATUSES = 40
_MOST_RULES = 500
_LONGEST_NAME = 200


class Metrics:
    """One daemon's metrics, on a registry of their own. Durations are passed in seconds, times as instants."""

    def __init__(self, clock: Clock) -> None:
        self.version = version("routee-monitor")
        self._registry = _Registry()
        self._outcomes = _Bounded(_MOST_OUTCOMES)
        self._rules = _Bounded(_MOST_RULES, _LONGEST_NAME)
        self._now = _Now(clock)
        self._polling_metrics()
        self._evaluation_metrics()
        self._notification_metrics()
        self._listener_metrics()
        self._registry.register(self._now)
        ProcessCollector(registry=self._registry)
        build = Info("build", "The version that runs.", namespace=PREFIX, registry=self._registry)
        build.info({"version": self.version, "python": platform.python_version()})

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """Returns all metrics and their content type: OpenMetrics if the header ``accept`` asks for it, else Prometheus text."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, namespace=PREFIX, registry=self._registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, text, labels, namespace=PREFIX, registry=self._registry, buckets=buckets)

    def _summary(self, name: str, text: str, *labels: str) -> Summary:
        return Summary(name, text, labels, namespace=PREFIX, registry=self._registry)

    # Polling

    def _polling_metrics(self) -> None:
        search = ("account", "search")
        self._polls = self._counter("polls", "Polls by how they ended.", *search, "outcome")
        self._poll_seconds = self._histogram("poll_duration_seconds", "How long a poll took.", _SLOW, *search)
        self._pages = self._counter("pages", "Pages of messages that were read.", *search)
        self._rejected_records = self._counter("records_set_aside", "Records that could not be read.", *search)
        self._unread = self._counter("values_unread", "Values that are not numbers.", *search, "field")
        self._requests = self._counter(
            "requests", "Requests to Routee by how they ended.", "account", "endpoint", "outcome"
        )
        self._request_seconds = self._histogram(
            "request_duration_seconds", "How long Routee took to answer.", _FAST, "account", "endpoint"
        )

        self._callbacks = self._counter("callbacks", "Pushed reports by what became of them.", "account", "outcome")

    def pushed_to(self, accounts: Iterable[str]) -> None:
        """Takes the accounts to which Routee may push: their counters start at 0."""
        for account in accounts:
            for outcome in get_args(CallbackOutcome):
                self._callbacks.labels(account, outcome)

    def callbacks(self, account: str, outcome: CallbackOutcome, count: int = 1) -> None:
        """Counts pushed reports; ``unauthorized`` and ``refused`` count requests, whose reports are not known."""
        self._callbacks.labels(account, outcome).inc(count)

    def searches(self, searches: Iterable[tuple[str, str]]) -> None:
        """Replaces the polled searches (account, search): new counters start at 0, and gauges of other searches are dropped."""
        configured = list(searches)
        outcomes: tuple[PollOutcome, ...] = ("complete", "failed")
        for account, search in configured:
            for outcome in outcomes:
                self._polls.labels(account, search, outcome)
            self._pages.labels(account, search)
            self._rejected_records.labels(account, search)
            for value in ("latency", "price"):
                self._unread.labels(account, search, value)
        self._now.blind = {key: self._now.blind.get(key, False) for key in configured}
        self._now.as_of = {key: as_of for key, as_of in self._now.as_of.items() if key in self._now.blind}
        accounts = {account for account, _ in configured}
        self._now.messages = {account: count for account, count in self._now.messages.items() if account in accounts}

    def poll(self, account: str, search: str, outcome: PollOutcome, seconds: float) -> None:
        """Counts a finished poll."""
        self._polls.labels(account, search, outcome).inc()
        self._poll_seconds.labels(account, search).observe(seconds)

    def pages(self, account: str, search: str, count: int = 1) -> None:
        """Counts pages that were read."""
        self._pages.labels(account, search).inc(count)

    def pages_of(self, account: str, search: str) -> int:
        """Returns how many pages of the search were read since the start."""
        return int(self._pages.labels(account, search)._value.get())

    def rejected_records(self, account: str, search: str, count: int = 1) -> None:
        """Counts records that could not be read."""
        self._rejected_records.labels(account, search).inc(count)

    def unread(self, account: str, search: str, field: str, count: int = 1) -> None:
        """Counts values of a field that could not be read."""
        self._unread.labels(account, search, field).inc(count)

    def request(self, account: str, endpoint: str, outcome: str, seconds: float) -> None:
        """Counts a finished request to Routee; ``functools.partial(metrics.request, account)`` observes an account's client."""
        self._requests.labels(account, endpoint, self._outcomes(outcome)).inc()
        self._request_seconds.labels(account, endpoint).observe(seconds)

    def watermark(self, account: str, search: str, as_of: Instant) -> None:
        """Takes the time up to which the search was polled completely."""
        self._now.as_of[account, search] = as_of

    def blind(self, account: str, search: str, blind: bool) -> None:
        """Takes whether the search is blind: not polled for too long."""
        self._now.blind[account, search] = blind

    # Several daemons on one store

    def fleet(self, workers: int, age: Callable[[], float], held: Callable[[], Mapping[str, bool]]) -> None:
        """Takes how many daemons work on the store, what returns how many seconds ago that was so, and what returns for each account whether
        this one works for it at that moment."""
        self._now.workers, self._now.workers_age, self._now.held = workers, age, held

    def forget(self, account: str) -> None:
        """Drops the gauges of an account that this daemon does not hold any more."""
        self._now.messages.pop(account, None)
        self._now.alerts.pop(account, None)

    # Reloading

    def reloaded(self, *, successful: bool) -> None:
        """Takes whether the configuration was loaded, at the start or by a reload."""
        self._now.reload_successful = successful
        if successful:
            self._now.reloaded_at = self._now.clock.now()

    # Evaluation

    def _evaluation_metrics(self) -> None:
        self._rule_seconds = self._summary("rule_evaluation_seconds", "Evaluations of a rule: time and number.", "rule")
        self._rule_errors = self._counter("rule_errors", "Evaluations that failed.", "rule")
        self._commit_seconds = self._histogram(
            "store_commit_duration_seconds", "How long the transaction of a poll took.", _FAST
        )
        self._store_errors = self._counter("store_errors", "Reads and writes of the store that failed.")
        self.delivery = DeliveryCounters(
            self._counter("messages", "Messages that took a status.", "account", "country", "operator", "status")
        )

    def rules(self, names: Iterable[str]) -> None:
        """Replaces the rules: what was counted of others is dropped."""
        for rule in self._rules.keep(names):
            self._rule_seconds.labels(rule)  # `remove` may raise where there is nothing
            self._rule_seconds.remove(rule)
            self._rule_errors.labels(rule)
            self._rule_errors.remove(rule)

    def window(self, account: str, messages: int) -> None:
        """Takes how many messages the account's window holds."""
        self._now.messages[account] = messages

    def evaluation(self, rule: str, seconds: float) -> None:
        """Counts and times an evaluation of a rule."""
        named = self._rules(rule)
        self._rule_seconds.labels(named).observe(seconds)
        self._rule_errors.labels(named)

    def rule_error(self, rule: str) -> None:
        """Counts a failed evaluation of a rule."""
        self._rule_errors.labels(self._rules(rule)).inc()

    def alerts(self, account: str, rules: Iterable[str], counts: Mapping[tuple[str, State], int]) -> None:
        """Takes how many alerts of each rule an account has in each state, and the names of all rules that are evaluated there."""
        states: tuple[State, ...] = ("pending", "firing")
        self._now.alerts[account] = {(rule, state): counts.get((rule, state), 0) for rule in rules for state in states}

    def commit(self, seconds: float) -> None:
        """Times a commit."""
        self._commit_seconds.observe(seconds)

    def store_error(self) -> None:
        """Counts a failed read or write of the store."""
        self._store_errors.inc()

    # Notifications

    def _notification_metrics(self) -> None:
        channel = ("receiver", "channel")
        self._notifications = self._counter(
            "notifications", "Attempts to notify by how they ended.", *channel, "outcome"
        )
        self._notification_seconds = self._histogram(
            "notification_duration_seconds", "How long an attempt to notify took.", _SLOW, *channel
        )

    def receivers(self, channels: Iterable[tuple[str, str]]) -> None:
        """Replaces the notified channels (receiver, channel): their counters start at 0."""
        outcomes: tuple[NotificationOutcome, ...] = ("sent", "retry", "rejected")
        self._now.channels = set(channels)
        for receiver, channel in self._now.channels:
            for outcome in outcomes:
                self._notifications.labels(receiver, channel, outcome)

    def notification(self, receiver: str, channel: str, outcome: NotificationOutcome, seconds: float) -> None:
        """Counts and times an attempt to notify; a rejected one is one more dead letter."""
        self._notifications.labels(receiver, channel, outcome).inc()
        self._notification_seconds.labels(receiver, channel).observe(seconds)
        if outcome == "rejected":
            dead = self._now.dead_letters
            dead[receiver, channel] = dead.get((receiver, channel), 0) + 1

    def backlog(self, waiting: Mapping[tuple[str, str], tuple[int, Instant]]) -> None:
        """Takes what waits in the outbox, as `Store.backlog` returns it; channels that are not named have nothing waiting."""
        self._now.backlog = dict(waiting)

    def failing(self, channels: Iterable[tuple[str, str]]) -> None:
        """Takes the channels (receiver, channel) that accept nothing now."""
        self._now.failing = set(channels)

    def dead_letters(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Takes how many dead letters the store holds, by receiver and channel."""
        self._now.dead_letters = dict(counts)

    # The listener

    def _listener_metrics(self) -> None:
        self._statuses = _Bounded(_MOST_STATUSES)
        self._answers = self._counter("http_answers", "Answers of the listener by status.", "status")
        self._wrong_tokens = self._counter("wrong_tokens", "Wrong tokens that were shown to the listener.", "kind")
        for kind in get_args(TokenKind):
            self._wrong_tokens.labels(kind)

    def answered(self, status: int) -> None:
        """Counts an answer of the listener by its HTTP status."""
        self._answers.labels(self._statuses(str(status))).inc()

    def wrong_token(self, kind: TokenKind) -> None:
        """Counts a wrong token: of a program (``bearer``) or entered by a person (``form``)."""
        self._wrong_tokens.labels(kind).inc()


class _Bounded:
    """Passes the first ``most`` different values through and replaces every other value by ``other``, also those that are too long."""

    def __init__(self, most: int, longest: int = 40) -> None:
        self._most, self._longest = most, longest
        self._seen: set[str] = set()

    def __call__(self, value: str) -> str:
        if len(self._seen) < self._most and len(value) <= self._longest:
            self._seen.add(value)
        return value if value in self._seen else "other"

    def keep(self, values: Iterable[str]) -> set[str]:
        """Forgets all values but these. Returns the forgotten ones."""
        gone = self._seen.difference(values)
        self._seen -= gone
        return gone


class _Registry(CollectorRegistry):
    """Leaves out the ``_created`` samples, which double the counters and say no more than the start of the process."""

    def collect(self) -> Iterator[Metric]:
        for metric in super().collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric


@dataclass(eq=False)
class _Now(Collector):
    """The latest state, turned into samples at each scrape."""

    clock: Clock
    as_of: dict[tuple[str, str], Instant] = field(default_factory=dict)
    blind: dict[tuple[str, str], bool] = field(default_factory=dict)
    messages: dict[str, int] = field(default_factory=dict)
    alerts: dict[str, dict[tuple[str, str], int]] = field(default_factory=dict)
    backlog: dict[tuple[str, str], tuple[int, Instant]] = field(default_factory=dict)
    dead_letters: dict[tuple[str, str], int] = field(default_factory=dict)
    channels: set[tuple[str, str]] = field(default_factory=set)
    failing: set[tuple[str, str]] = field(default_factory=set)
    workers: int | None = None
    workers_age: Callable[[], float] = float
    held: Callable[[], Mapping[str, bool]] = dict
    reload_successful: bool = True
    reloaded_at: Instant = 0

    def collect(self) -> Iterator[Metric]:
        search, channel = ("account", "search"), ("receiver", "channel")
        messages = {(account,): count for account, count in self.messages.items()}
        nothing = dict.fromkeys(sorted(self.channels), 0)
        waiting = nothing | {key: count for key, (count, _) in self.backlog.items()}
        oldest = nothing | dict(self._ages({key: since for key, (_, since) in self.backlog.items()}))
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
            "outbox_oldest_age_seconds", "Age of the oldest that is still to be sent.", channel, oldest.items()
        )
        failing = {key: key in self.failing for key in sorted(self.channels | self.failing)}
        yield _gauge("channel_failing", "1 while a channel accepts no notification.", channel, failing.items())
        yield _gauge(
            "dead_letters", "Notifications that can never be sent.", channel, (nothing | self.dead_letters).items()
        )
        if self.workers is not None:
            yield _gauge("workers", "Daemons that share the store and are alive.", (), [((), self.workers)])
            age = "Time since the store said how many daemons share it; it grows while this one cannot reach the store."
            yield _gauge("workers_age_seconds", age, (), [((), self.workers_age())])
            held = {(account,): is_held for account, is_held in self.held().items()}
            yield _gauge("lease_held", "1 if this daemon works for the account, else 0.", ("account",), held.items())
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
"""Takes the endpoint, the outcome and the seconds of a request of an account's client."""
