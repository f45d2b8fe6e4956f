"""Runs the configuration's Alertmanager pushers, one per entry."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final

import trio

from monitor.config.monitor import Alertmanager, Config
from monitor.config.settings import Settings
from monitor.daemon.alert_actions import AlertActions
from monitor.daemon.pipeline import Pipeline
from monitor.dispatch.status import FiringAlert
from monitor.model.notification import AlertView
from monitor.notify.alertmanager_push import KnownAlerts, Pusher
from monitor.notify.channels.alertmanager.channel import alertmanager_client
from monitor.notify.outbox import Outbox
from monitor.runtime.backoff import full_jitter
from monitor.runtime.clock import MINUTE, Duration
from monitor.runtime.task_supervisor import TaskSpec, run_until

SLOWEST: Final[Duration] = 5 * MINUTE
"""Time without an attempt after which a pusher counts as stuck."""


def pushing(
    config: Config,
    present: Callable[[], Settings],
    pipeline: Pipeline,
    outbox: Outbox,
) -> Iterator[TaskSpec]:
    """Yields a task spec per Alertmanager entry of each receiver. ``present`` returns the present settings, which a reload can change."""
    clock, metrics = pipeline.services.clock, pipeline.services.metrics
    url = (config.web.external_url or "") if config.web is not None else ""
    interval = partial(_interval, present)
    for receiver in config.receivers:
        firing = partial(_firing, pipeline, receiver.name)
        for channel, entry in receiver.of(Alertmanager):
            name, client = (receiver.name, channel), alertmanager_client(entry, clock)
            pusher = Pusher(name, client, KnownAlerts(interval, url), firing, clock, full_jitter, metrics, outbox)
            yield TaskSpec(f"push to {' '.join(name)}", (entry, url), partial(_push, pusher, pipeline))


async def _push(pusher: Pusher, pipeline: Pipeline, leave: trio.Event) -> None:
    health = pipeline.services.health
    loop = f"push to {' '.join(pusher.name)}"

    def news() -> trio.Event:
        health.beat(loop)
        return pipeline.news

    health.expect(loop, SLOWEST)
    try:
        await run_until(leave, partial(pusher.run, news))
    finally:
        health.forget(loop)
        pusher.outbox.forget(pusher.name)


async def _firing(pipeline: Pipeline, receiver: str) -> Iterable[FiringAlert]:
    return (await AlertActions(pipeline).own_status()).firing(receiver)


def _interval(present: Callable[[], Settings], view: AlertView) -> Duration:
    """Returns how often the alert's rule is evaluated."""
    settings = present()
    every = next((rule.every for rule in settings.rules if rule.name == view.rule), None)
    return every or max(search.every for search in settings.config.searches)
