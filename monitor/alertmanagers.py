"""The Alertmanagers of a configuration, put to use: what each entry's pusher is told, and by whom."""

import random
from collections.abc import Iterable, Iterator
from functools import partial

from monitor.clock import Clock, Duration
from monitor.config import Config
from monitor.deliver import Observer, Outbox
from monitor.notification import AlertView
from monitor.notify import alertmanager_client
from monitor.pipeline import Pipeline
from monitor.push import Pusher, Roll
from monitor.rules import Rule
from monitor.standing import Firing


def pushers(
    config: Config, rules: Iterable[Rule], pipeline: Pipeline, outbox: Outbox, clock: Clock, observer: Observer
) -> Iterator[Pusher]:
    """One for each entry of each receiver; `Pusher.run` takes ``lambda: pipeline.news``."""
    url = (config.web.external_url or "") if config.web is not None else ""
    interval = partial(_interval, {rule.name: rule.every for rule in rules}, max(one.every for one in config.searches))
    jitter = random.SystemRandom().random
    for receiver in config.receivers:
        firing = partial(_firing, pipeline, receiver.name)
        for number, entry in enumerate(receiver.alertmanager):
            name, client = (receiver.name, f"alertmanager/{number}"), alertmanager_client(entry, clock)
            yield Pusher(name, client, Roll(interval, url), firing, clock, jitter, observer, outbox)


def _firing(pipeline: Pipeline, receiver: str) -> Iterable[Firing]:
    return pipeline.stock().firing(receiver)


def _interval(every: dict[str, Duration | None], longest: Duration, view: AlertView) -> Duration:
    """How often an alert's rule is judged."""
    return every.get(view.rule) or longest
