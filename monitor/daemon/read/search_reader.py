"""Reads the searches and how fresh their data is. It needs only the memory."""

from collections.abc import Iterator

from monitor.daemon.read.daemon_state import DaemonState
from monitor.daemon.read.searches import SearchSummary, search_summary
from monitor.daemon.unread_past import unread_past
from monitor.model.builtin_alerts import MONITOR_BLIND
from monitor.runtime.clock import Duration


class SearchReader:
    """Reads the searches."""

    def __init__(self, state: DaemonState) -> None:
        self._state = state

    def all(self) -> tuple[SearchSummary, ...]:
        """Returns the searches of the configuration."""
        metrics, now = self._state.pipeline.services.metrics, self._state.now
        cursors = {(one.account, one.search): one for one in self._state.pipeline.known_cursors()}
        blind = dict(self._blind())
        unread = self.unread()
        messages = {window.account: len(window) for window in self._state.windows()}
        return tuple(
            search_summary(
                one,
                cursors.get((one.account, one.name)),
                blind.get((one.account, one.name), ""),
                metrics.pages_of(one.account, one.name),
                messages.get(one.account),
                now,
                unread.get((one.account, one.name), 0),
            )
            for one in self._state.config.searches
        )

    def unread(self) -> dict[tuple[str, str], Duration]:
        """Returns by account and search how far back messages are still to be read beside the resweeps (`monitor.daemon.unread_past`)."""
        state, settings = self._state, self._state.settings()
        own = {one.account: one.coverage.lost_to for one in state.evaluators()}
        cursors = state.pipeline.known_cursors()
        return unread_past(settings.config, settings.rules, cursors, lambda account: own.get(account, 0), state.now)

    def _blind(self) -> Iterator[tuple[tuple[str, str], str]]:
        for alert in self._state.pipeline.known_alerts():
            if alert.rule == MONITOR_BLIND.name and alert.state == "firing":
                yield (alert.account, dict(alert.group).get("search", "")), alert.why
