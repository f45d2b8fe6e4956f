"""Reads the campaigns whose messages are known, and one of them with its breakdown and its course."""

from functools import partial

from monitor.daemon.read.campaigns import CampaignBreakdown, CampaignCounts, CampaignDetail, CampaignSummary
from monitor.daemon.read.daemon_state import DaemonState
from monitor.daemon.read.result_page import MOST, ResultPage, listed
from monitor.runtime.checkpoints import work_off


class CampaignReader:
    """Reads the campaigns."""

    def __init__(self, state: DaemonState) -> None:
        self._state = state

    async def page(self, offset: int = 0, limit: int = MOST, text: str = "") -> ResultPage[CampaignSummary]:
        """Returns the campaigns whose messages are known, the one with the latest report first: those whose name or id contains ``text``."""
        wanted = text.casefold()
        found = [one for one in await self._all() if wanted in f"{one.name}\n{one.tracking_id}".casefold()]
        return listed(found, offset, limit)

    async def one(self, tracking_id: str) -> CampaignDetail | None:
        """Returns one campaign; None if no messages of it are known."""
        summary = next((one for one in await self._all() if one.tracking_id == tracking_id), None)
        if summary is None:
            return None
        return await self._state.cache.get(("campaign", summary.account, tracking_id), partial(self._detail, summary))

    async def _all(self) -> list[CampaignSummary]:
        return await self._state.cache.get("campaigns", self._count)

    async def _count(self) -> list[CampaignSummary]:
        found: list[CampaignSummary] = []
        for evaluator in list(self._state.evaluators()):
            counts = CampaignCounts(
                evaluator.window,
                self._state.as_of - self._state.config.retention,
                max(self._state.as_of, self._state.now),
            )
            await work_off(counts.steps())
            found += counts.summaries(evaluator.account_state)
        return sorted(found, key=lambda one: -(one.last_report_at or 0))

    async def _detail(self, summary: CampaignSummary) -> CampaignDetail | None:
        evaluator = next((one for one in self._state.evaluators() if one.account == summary.account), None)
        if evaluator is None:  # the account has been given to another daemon since
            return None
        breakdown = CampaignBreakdown(evaluator.window, summary)
        await work_off(breakdown.steps())
        return breakdown.detail(evaluator.account_state.campaigns)
