"""Reads delivery: by country and operator, and over time."""

from collections.abc import Mapping

from monitor.daemon.read.daemon_state import DaemonState
from monitor.daemon.read.delivery import DeliveryByPlace, DeliveryMap, DeliveryOverTime, DeliverySeries, check_steps
from monitor.runtime.checkpoints import work_off
from monitor.runtime.clock import HOUR, MINUTE, Duration


class DeliveryReader:
    """Reads delivery."""

    def __init__(self, state: DaemonState) -> None:
        self._state = state

    async def by_place(self, span: Duration = HOUR, account: str | None = None) -> DeliveryMap:
        """Returns delivery by country and operator in the span up to the latest poll, of one account or all."""

        async def count() -> DeliveryMap:
            counts = DeliveryByPlace(self._state.windows(account), self._state.as_of - span, self._state.as_of)
            await work_off(counts.steps())
            return counts.result()

        return await self._state.cache.get(("place", span, account), count)

    async def over_time(
        self,
        span: Duration = 6 * HOUR,
        step: Duration = 5 * MINUTE,
        where: Mapping[str, str] | None = None,
        account: str | None = None,
        before: Duration = 0,
    ) -> DeliverySeries:
        """Returns delivery over the span up to the latest poll, in steps, of the messages with these values of fields.

        With ``before`` the span ends so much earlier: a day, for what was usual.

        Raises ValueError for more steps than `monitor.daemon.read.delivery.MOST_POINTS`.
        """
        fields = dict(where or {})
        check_steps(span, step)

        async def count() -> DeliverySeries:
            counts = DeliveryOverTime(self._state.windows(account), self._state.as_of - before, span, step, fields)
            await work_off(counts.steps())
            return counts.result()

        return await self._state.cache.get(
            ("delivery", span, step, tuple(sorted(fields.items())), account, before), count
        )
