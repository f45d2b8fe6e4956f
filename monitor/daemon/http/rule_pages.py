"""The pages of rules: all of them, and one with its groups, its recent evaluations, and why it fires or does not."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitor.daemon.http.evaluation_chart import ALERT_FRAME, evaluation_chart
from monitor.daemon.http.fair_queue import ExpensiveQueue
from monitor.daemon.http.html_pages import HtmlPages
from monitor.daemon.http.list_query import ListQuery
from monitor.daemon.http.page_chart import page_chart
from monitor.daemon.read.daemon_reader import DaemonReader
from monitor.daemon.read.evaluations import GroupEvaluations
from monitor.daemon.read.rule_groups import STATES, GroupState, GroupSummary
from monitor.daemon.read.rules import RuleSummary
from monitor.notify.render.sanitize import tone

ROWS: Final = 50
"""The groups of one page."""
RULES: Final = 100
"""The rules of one page."""
EVALUATIONS: Final = 12
"""The latest evaluations that are listed."""

WORDS: Final[dict[str, str]] = {
    "firing": "firing",
    "pending": "pending",
    "blind": "blind",
    "not_enough_data": "not enough data",
    "inactive": "fine",
}
_TONES: Final = {"pending": "pending", "blind": "stale", "not_enough_data": "plain", "inactive": "resolved"}


class RulePages:
    """The pages below ``/rules``."""

    def __init__(self, reader: DaemonReader, html: HtmlPages, expensive: ExpensiveQueue) -> None:
        self._reader, self._html, self._expensive = reader, html, expensive

    def routes(self) -> list[Route]:
        """Returns the routes."""
        return [
            Route("/rules", self._expensive.endpoint(self.rules)),
            Route("/rules/{name}", self._expensive.endpoint(self.rule)),
        ]

    async def rules(self, request: Request) -> Response:
        query = ListQuery.of(request)
        text = query.text.casefold()
        found = [one for one in await self._reader.rules.all() if text in f"{one.name} {one.description}".casefold()]
        return self._html.page(
            "rules.html",
            rules=found[(query.page - 1) * RULES : query.page * RULES],
            query=query,
            pages=query.pages(len(found), RULES),
            total=len(found),
            several=len(self._reader.config.accounts) > 1,
            now=self._reader.now,
            look=rule_look,
        )

    async def rule(self, request: Request) -> Response:
        name = request.path_params["name"]
        query, states = ListQuery.of(request), _states(request)
        rule = await self._reader.rules.one(name)
        groups = await self._reader.rules.groups(name, (query.page - 1) * ROWS, ROWS, query.text, states)
        if rule is None or groups is None:  # a reload may have removed it in between
            raise HTTPException(HTTPStatus.NOT_FOUND, "there is no such rule")
        chosen = _chosen(groups.items, request.query_params.get("group", ""))
        course = self._course(name, chosen)
        zone = "" if chosen is None else self._reader.config.time_zone_of(chosen.account)
        chart = evaluation_chart(course, zone) if course is not None else None
        return self._html.page(
            "rule.html",
            rule=rule,
            groups=groups,
            query=query,
            states=states,
            every_state=STATES,
            words=WORDS,
            pages=query.pages(groups.total, ROWS),
            chosen=chosen,
            chart="" if chart is None else page_chart(chart, ALERT_FRAME),
            course=() if course is None else course.points[: -EVALUATIONS - 1 : -1],
            several=len(self._reader.config.accounts) > 1,
            now=self._reader.now,
            look=group_look,
        )

    def _course(self, name: str, group: GroupSummary | None) -> GroupEvaluations | None:
        if group is None:
            return None
        try:
            return self._reader.rules.evaluations(name, group.labels, group.account)
        except ValueError:  # a group that an earlier version of the rule had
            return None


def group_look(group: GroupSummary) -> str:
    """Returns the tone of a group's badge."""
    return tone(group.severity, "firing") if group.state == "firing" else _TONES[group.state]


def rule_look(rule: RuleSummary) -> tuple[str, str]:
    """Returns the tone and the words of a rule's badge."""
    if not rule.enabled:
        return "plain", "off"
    if rule.error:
        return "critical", "fails"
    if rule.state == "firing":
        return tone(rule.severity, "firing"), WORDS["firing"]
    return _TONES[rule.state], WORDS[rule.state]


def _states(request: Request) -> list[GroupState]:
    wanted = request.query_params.getlist("state")
    return [state for state in STATES if state in wanted]


def _chosen(groups: Sequence[GroupSummary], fingerprint: str) -> GroupSummary | None:
    """Returns the group whose course is drawn: the one that was asked for, else the worst one."""
    return next((one for one in groups if one.fingerprint == fingerprint), groups[0] if groups else None)
