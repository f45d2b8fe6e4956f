"""Isolates unexpected errors: the failed task restarts after a pause, everything else continues, and people are notified.

The traceback is in the log; the built-in alert ``InternalError`` says which task it is, for as long as it fails and ten minutes more.
"""

import logging
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Final, Protocol

import trio

from monitor.model.builtin_alerts import INTERNAL_ERROR, BuiltIn, finding, over
from monitor.model.finding import Finding
from monitor.runtime.backoff import backoff, no_jitter
from monitor.runtime.clock import MINUTE, SECOND, Clock, Duration, Instant
from monitor.runtime.errors import InternalError, StoreError
from monitor.runtime.task_supervisor import run_until

TOLD_FOR: Final[Duration] = 10 * MINUTE
"""Time that the alert continues after the task's last failure."""
LONGEST_PAUSE: Final[Duration] = MINUTE
LOOK_EVERY: Final[Duration] = 10 * SECOND
_TRACEBACK_AGAIN: Final[Duration] = 10 * MINUTE
"""Interval between logs of the same traceback; in between one line says that it happened again."""

log = logging.getLogger("monitor")


class BuiltInAlerts(Protocol):
    """The part of `monitor.daemon.pipeline.Pipeline` that raises and ends built-in alerts."""

    @property
    def default_account(self) -> str | None:
        """The account that keeps alerts which are about no account; None if there is none now."""

    async def update_builtin(self, account: str, built_in: BuiltIn, finding: Finding) -> None:
        """Raises or ends a built-in alert. Raises StoreError."""

    def firing(self, built_in: BuiltIn) -> Iterator[tuple[str, dict[str, str]]]:
        """Yields the account and the group of each firing alert."""


class InternalErrors:
    """Tracks which tasks failed unexpectedly, when and why."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failed: dict[str, tuple[Instant, str]] = {}
        self._logged: dict[str, tuple[Instant, str]] = {}

    def failed(self, task: str, error: Exception) -> str:
        """Logs that ``task`` failed with ``error``; returns the sentence for people."""
        now, why = self._clock.now(), str(InternalError(error))
        self._failed[task] = now, why
        logged_at, logged = self._logged.get(task, (0, ""))
        if logged == why and 0 <= now - logged_at < _TRACEBACK_AGAIN:
            log.error("%s failed again: %s", task, why)
        else:
            self._logged[task] = now, why
            log.error("%s failed: %s", task, why, exc_info=error)
        return why

    def lately(self) -> dict[str, str]:
        """Returns the tasks that failed within `TOLD_FOR`, each with its reason."""
        now = self._clock.now()
        self._failed = {task: (at, why) for task, (at, why) in self._failed.items() if abs(now - at) < TOLD_FOR}
        return {task: why for task, (_, why) in self._failed.items()}

    async def keep_going(
        self, task: str, work: Callable[[], Awaitable[object]], leave: trio.Event | None = None
    ) -> None:
        """Runs ``work`` until it returns or is cancelled.

        If it fails unexpectedly it is run again after 1 s, 2 s, 4 s … 1 min, unless ``leave`` is set by then.
        """
        leave = trio.Event() if leave is None else leave
        failures = 0
        while True:
            began = self._clock.now()
            try:
                await work()
                return
            except Exception as error:  # noqa: BLE001 - otherwise it would end the whole process
                self.failed(task, error)
                failures = failures + 1 if self._clock.now() - began < TOLD_FOR else 1
            pause = backoff(failures, no_jitter, longest=LONGEST_PAUSE)
            await run_until(leave, partial(self._clock.sleep, pause))
            if leave.is_set():
                return

    async def watch(self, pipeline: BuiltInAlerts) -> None:
        """Updates the alerts at intervals until it is cancelled."""
        while True:
            try:
                await self.update(pipeline)
            except StoreError:
                pass  # the code that writes to the store logs it; the next update makes up for it
            except Exception as error:  # noqa: BLE001 - the reporting of errors must survive its own
                self.failed("telling of internal errors", error)
            await self._clock.sleep(LOOK_EVERY)

    async def update(self, pipeline: BuiltInAlerts) -> None:
        """Starts ``InternalError`` for tasks that fail, and ends it for others. Raises StoreError; the next update makes up for it."""
        lately, raised = self.lately(), {group["task"]: account for account, group in pipeline.firing(INTERNAL_ERROR)}
        for task, why in lately.items():
            account = pipeline.default_account
            if task not in raised and account is not None:
                await pipeline.update_builtin(account, INTERNAL_ERROR, finding(f"{task}: {why}", task=task))
        for task, account in raised.items():
            if task not in lately:
                await pipeline.update_builtin(account, INTERNAL_ERROR, over(task=task))
