"""The task that makes the morning report when it is due, and hands it to the outbox."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Final

import trio

from monitor.alerts.report import DeliveryReport
from monitor.config.monitor import ScheduledReport
from monitor.config.settings import Settings
from monitor.daemon.pipeline import Pipeline
from monitor.daemon.report_ledger import ReportLedger
from monitor.daemon.report_source import report_of
from monitor.dispatch.scheduled_report import DueReport, next_due, notification
from monitor.notify.render.report.digest import digest_of
from monitor.runtime.clock import MINUTE, Duration, Instant, format_duration, iso
from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import StoreError
from monitor.runtime.task_supervisor import TaskSpec, run_until
from monitor.runtime.throttled_log import ThrottledLog

log = logging.getLogger("monitor")

LONGEST_WAIT: Final[Duration] = MINUTE
"""The longest wait before the clock is read again, because it may be set meanwhile."""


def report_task(report: ScheduledReport, settings: Callable[[], Settings], pipeline: Pipeline) -> TaskSpec:
    """Returns the task of the configured report."""
    return TaskSpec("report", report, partial(run_until, work=MorningReport(report, settings, pipeline).run))


@dataclass(frozen=True, slots=True)
class MorningReport:
    """Sends the report at its times. ``settings`` returns the present settings."""

    report: ScheduledReport
    settings: Callable[[], Settings]
    pipeline: Pipeline

    async def run(self) -> None:
        """Runs until it is cancelled. A report that cannot be made or stored is tried again every minute, until it is too late."""
        clock = self.pipeline.services.clock
        trouble = ThrottledLog(log, "the report", clock, logging.ERROR)
        while True:
            wait = LONGEST_WAIT
            try:
                wait = min(await self.step(), LONGEST_WAIT)
                trouble.over()
            except StoreError as error:
                trouble.arose(str(error))
            await clock.sleep(wait)

    async def step(self) -> Duration:
        """Sends or leaves out the report that is due, if one is. Returns how long to wait for the next one. Raises StoreError."""
        clock, ledger = self.pipeline.services.clock, ReportLedger(self.pipeline, self.report.receiver)
        now, group = clock.now(), await ledger.last()
        if group is None:
            return LONGEST_WAIT
        due = next_due(self.report.times, group, now)
        if due.at > now:
            return due.at - now
        if due.is_too_late(now):
            await ledger.settle(due, None)
            late = format_duration((now - due.at) // MINUTE * MINUTE)
            log.warning("the report of %s is left out: it is %s late", iso(due.at), late)
            return 0
        made = await trio.to_thread.run_sync(partial(self._made, due, now), abandon_on_cancel=True)
        config = self.settings().config
        url = (config.web.external_url or "") if config.web is not None else ""
        told = notification(self.report.receiver, due, digest_of(made, url), clock.now(), url)
        if await ledger.settle(due, told):
            log.info("the report of %s was handed over to %s", iso(due.at), self.report.receiver)
        return 0

    def _made(self, due: DueReport, now: Instant) -> DeliveryReport:
        """Returns the report of the time since the one before, or of the configured span. Blocking."""
        settings, times = self.settings(), self.report.times
        since = times.before(due.at) if self.report.since is None else due.at - self.report.since
        return report_of(settings.config, settings.rules, since, due.at, now, self.report.time_zone)
