"""Handles buttons that people press in Slack: they acknowledge an alert, or silence it for a while."""

import logging
import uuid
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

from monitor.config.monitor import Config
from monitor.daemon.alert_actions import AlertActions
from monitor.dispatch.status import AlertStatus
from monitor.notify.channels.slack.channel import socket_apps
from monitor.notify.channels.slack.interaction import Pressed
from monitor.routing.matchers import Matcher
from monitor.routing.silences import Silence, new_silence
from monitor.runtime.clock import SECOND, Clock, Duration, Instant, format_duration
from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import NothingThere, StoreError
from monitor.runtime.task_supervisor import TaskSpec, run_until

if TYPE_CHECKING:
    from monitor.notify.channels.slack.socket_mode import Handle

log = logging.getLogger("monitor")

_GONE: Final = "This alert has resolved. There is nothing left to do."


@dataclass(frozen=True, slots=True)
class Buttons:
    """Carries out presses of buttons."""

    actions: AlertActions
    clock: Clock

    async def press(self, pressed: Pressed) -> str:
        """Carries out a press; returns the sentence to show, also if it failed."""
        try:
            said = await self._do(pressed)
        except NothingThere:
            return _GONE
        except StoreError as error:
            return f"This could not be stored. Please try again: {error}"
        except ValueError as error:
            return f"This did not work: {error}"
        log.info("%s pressed %s", pressed.user, pressed.action, extra={"fingerprint": pressed.fingerprint})
        return said

    async def _do(self, pressed: Pressed) -> str:
        if pressed.action == "acknowledge":
            await self.actions.acknowledge(pressed.fingerprint, pressed.user)
            return "Acknowledged. It is not repeated until it resolves. You are notified if it gets worse."
        alert = await self._alert(pressed.fingerprint)
        if alert is None:
            return _GONE
        lasts = pressed.seconds * SECOND
        await self.actions.put_silence(_silence_of(alert, pressed.user, lasts, self.clock.now()))
        return f"Silenced for {format_duration(lasts)}. You are still notified when it resolves."

    async def _alert(self, fingerprint: str) -> AlertStatus | None:
        found = (await self.actions.status()).find(fingerprint)
        return found if found is not None and found.state == "firing" else None


def button_tasks(config: Config, actions: AlertActions, clock: Clock) -> Iterator[TaskSpec]:
    """Yields a task spec for each Slack app with buttons."""
    press = Buttons(actions, clock).press
    for number, (token, api_url) in enumerate(socket_apps(config)):
        listening = partial(_listen, token, api_url, press, clock)
        yield TaskSpec(f"Slack's buttons {number}", (token, api_url), partial(run_until, work=listening))


async def _listen(token: str, api_url: str, press: "Handle", clock: Clock) -> None:
    from monitor.notify.channels.slack.socket_mode import listen  # late: slack-sdk takes time to load

    await listen(token, api_url, press, clock)


def _silence_of(alert: AlertStatus, user: str, lasts: Duration, now: Instant) -> Silence:
    """Returns a silence of this alert at its present severity: it matches all of its labels, like Alertmanager's own button."""
    matchers = [Matcher(name, "=", value) for name, value in alert.view.labels.items()]
    return new_silence(
        matchers,
        starts_at=now,
        ends_at=now + lasts,
        created_by=user,
        comment="by a button in Slack",
        now=now,
        id=str(uuid.uuid4()),
    )
