"""Our own API for reading, below ``/api/v1``: the table of its operations, and the OpenAPI document that is made from it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, Final

import trio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from monitor.daemon.delivery_actions import DeliveryActions
from monitor.daemon.http.access import may_change
from monitor.daemon.http.alertmanager_json import read_object
from monitor.daemon.http.fair_queue import ExpensiveQueue
from monitor.daemon.http.openapi import openapi
from monitor.daemon.http.operations import Described, Operation, with_errors
from monitor.daemon.http.parameters import (
    ACCOUNT,
    LONGEST,
    PAGE,
    SEARCH,
    Parameter,
    duration,
    pairs,
    time,
    unknown_words,
    words,
)
from monitor.daemon.read.alerts import Acknowledgement, AlertCourse, AlertSummary
from monitor.daemon.read.campaigns import CampaignDetail, CampaignSummary
from monitor.daemon.read.daemon_reader import DaemonReader
from monitor.daemon.read.delivery import DeliveryMap, DeliverySeries
from monitor.daemon.read.evaluations import GroupEvaluations
from monitor.daemon.read.fields import read_model
from monitor.daemon.read.incidents import IncidentDetail, IncidentSummary
from monitor.daemon.read.notifications import NotificationSummary
from monitor.daemon.read.receivers import ReceiverSummary
from monitor.daemon.read.result_page import ResultPage, listed
from monitor.daemon.read.rule_groups import STATES, GroupSummary
from monitor.daemon.read.rules import RuleDetail, RuleSummary
from monitor.daemon.read.searches import SearchSummary
from monitor.model.message import CODED_FIELDS
from monitor.runtime.clock import DAY, HOUR, MINUTE
from monitor.store.protocol import FATES, NotificationFilter

ROOT: Final = "/api/v1"
ALERT_STATES: Final = ("firing", "pending", "resolved")

Given = Mapping[str, Any]


@read_model
class RetriedDeadLetters:
    """What came of dead letters that are to be sent again."""

    waiting: int
    """How many wait to be sent again."""
    superseded: int
    """How many are left out: something newer of the same episode was sent to their channel, or waits, so they would show what is no longer true."""
    unreadable: int
    """How many stay dead letters, because they were given up as unreadable in the store, and still are."""


@read_model
class ChangedAcknowledgement:
    """The alert of an acknowledgement that was made or removed."""

    fingerprint: str
    label_fingerprint: str
    """Empty if the alert is over."""
    labels: dict[str, str]


class ReadApi:
    """The operations. ``from_store`` is the queue of answers from the store, which may take long."""

    def __init__(
        self,
        reader: DaemonReader,
        delivery: DeliveryActions,
        token: str = "",
        version: str = "",
        from_store: ExpensiveQueue | None = None,
    ) -> None:
        self._reader, self._delivery, self._token = reader, delivery, token
        self._reading, self._from_store = ExpensiveQueue(), from_store or ExpensiveQueue()
        self.operations = tuple(replace(one, queue=self._queue(one)) for one in self._operations())
        self._version = version
        self._document, self._writing = b"", trio.Lock()

    def routes(self) -> list[BaseRoute]:
        """Returns the routes."""
        return [
            Route(f"{ROOT}/openapi.json", self.openapi, methods=["GET"]),
            Route(f"{ROOT}/dead-letters/retry", with_errors(self.retry), methods=["POST"]),
            *(operation.route() for operation in self.operations),
        ]

    def document(self) -> dict[str, Any]:
        """Returns the OpenAPI document."""
        return openapi(self.operations, DESCRIBED, self._version)

    async def openapi(self, _: Request) -> Response:
        async with self._writing:
            if not self._document:  # in a thread, because it takes some tenths of a second
                self._document = await trio.to_thread.run_sync(lambda: json.dumps(self.document()).encode())
        return Response(self._document, media_type="application/json")

    async def retry(self, request: Request) -> Response:
        """Sends dead letters again."""
        may_change(request, self._token)
        wanted, notification = _retry_filter(read_object(await request.body()))
        retried = await self._delivery.retry_dead_letters(wanted, notification)
        return JSONResponse(asdict(retried))

    def _queue(self, operation: Operation) -> ExpensiveQueue:
        return self._from_store if operation.name in _FROM_STORE else self._reading

    # What each operation answers

    async def _rules(self, given: Given) -> object:
        wanted = given["search"].casefold()
        found = [
            one
            for one in await self._reader.rules.all()
            if wanted in f"{one.name}\n{one.description}".casefold()
            and (not given["state"] or one.state in given["state"])
            and given["account"] in (None, one.account)
        ]
        return listed(found, given["offset"], given["limit"])

    async def _rule(self, given: Given) -> object | None:
        return await self._reader.rules.one(given["name"])

    async def _groups(self, given: Given) -> object | None:
        page = given["offset"], given["limit"]
        return await self._reader.rules.groups(given["name"], *page, given["search"], given["state"], given["account"])

    async def _evaluations(self, given: Given) -> object | None:
        return self._reader.rules.evaluations(given["name"], dict(given["label"]), given["account"])

    async def _alerts(self, given: Given) -> object:
        states = given["state"] or ALERT_STATES[:2]
        return await self._reader.alerts.page(given["offset"], given["limit"], given["search"], states)

    async def _alert(self, given: Given) -> object | None:
        return await self._reader.alerts.one(given["fingerprint"])

    async def _incidents(self, given: Given) -> object:
        return await self._reader.incidents.page(given["offset"], given["limit"])

    async def _incident(self, given: Given) -> object | None:
        return await self._reader.incidents.one(given["id"])

    async def _notifications(self, given: Given) -> object:
        wanted = {one.name: given[one.name] for one in NOTIFICATIONS}
        if wanted["fingerprint"]:
            wanted["fingerprint"] = await self._reader.alerts.own_fingerprint(wanted["fingerprint"])
        return await self._reader.notifications.page(NotificationFilter(**wanted), given["offset"], given["limit"])

    async def _dead_letters(self, given: Given) -> object:
        wanted = NotificationFilter(receiver=given["receiver"], channel=given["channel"], outcome="dead")
        return await self._reader.notifications.page(wanted, given["offset"], given["limit"])

    async def _searches(self, given: Given) -> object:
        return listed(self._reader.searches.all(), given["offset"], given["limit"])

    async def _receivers(self, given: Given) -> object:
        return listed(await self._reader.notifications.receivers(), given["offset"], given["limit"])

    async def _campaigns(self, given: Given) -> object:
        return await self._reader.campaigns.page(given["offset"], given["limit"], given["search"])

    async def _campaign(self, given: Given) -> object | None:
        return await self._reader.campaigns.one(given["trackingId"])

    async def _map(self, given: Given) -> object | None:
        return await self._reader.delivery.by_place(given["for"], given["account"]) if self._knows(given) else None

    async def _series(self, given: Given) -> object | None:
        where = dict(given["where"])
        for name in where:
            if name not in CODED_FIELDS:
                raise ValueError(f"where: {unknown_words(name, CODED_FIELDS)}")
        if not self._knows(given):
            return None
        return await self._reader.delivery.over_time(given["for"], given["step"], where, given["account"])

    def _knows(self, given: Given) -> bool:
        return given["account"] in (None, *self._reader.accounts)

    def _operations(self) -> tuple[Operation, ...]:
        name = Parameter("name", "The name of the rule.", place="path")
        (fingerprint,) = _FINGERPRINT
        notifications = Operation(
            f"{ROOT}/notifications",
            "notifications",
            "Which notifications were sent to whom, the newest first.",
            ResultPage[NotificationSummary],
            self._notifications,
            (*PAGE, *NOTIFICATIONS),
        )
        no_rule, no_account = (
            "there is no rule of that name, or not for that account",
            "there is no account of that name",
        )
        span = duration("for", "How far back, up to the latest poll.", 7 * DAY, HOUR, "1h")
        group_state = words("state", "Only groups in these states.", STATES, repeated=True)
        return (
            Operation(
                f"{ROOT}/rules",
                "rules",
                "The rules with the states of their groups.",
                ResultPage[RuleSummary],
                self._rules,
                (
                    *PAGE,
                    SEARCH,
                    ACCOUNT,
                    words("state", "Only rules whose worst state is one of these.", STATES, repeated=True),
                ),
            ),
            Operation(f"{ROOT}/rules/{{name}}", "rule", "One rule.", RuleDetail, self._rule, (name,), no_rule),
            Operation(
                f"{ROOT}/rules/{{name}}/groups",
                "groups",
                "The groups of a rule, the worst first.",
                ResultPage[GroupSummary],
                self._groups,
                (name, *PAGE, SEARCH, ACCOUNT, group_state),
                no_rule,
            ),
            Operation(
                f"{ROOT}/rules/{{name}}/evaluations",
                "evaluations",
                "The recent evaluations of one group of a rule.",
                GroupEvaluations,
                self._evaluations,
                (name, pairs("label", "A field of the group and its value, once for each field of `by`."), ACCOUNT),
                no_rule,
            ),
            Operation(
                f"{ROOT}/alerts",
                "alerts",
                "The alerts, the most urgent first.",
                ResultPage[AlertSummary],
                self._alerts,
                (
                    *PAGE,
                    SEARCH,
                    words(
                        "state", "Only alerts in these states; usual: firing and pending.", ALERT_STATES, repeated=True
                    ),
                ),
            ),
            Operation(
                f"{ROOT}/alerts/{{fingerprint}}",
                "alert",
                "One alert from its beginning to its end; also after it is over.",
                AlertCourse,
                self._alert,
                (fingerprint,),
                "nothing is known of an alert with this fingerprint",
            ),
            Operation(
                f"{ROOT}/incidents",
                "incidents",
                "The incidents, open and past, those that began last first.",
                ResultPage[IncidentSummary],
                self._incidents,
                PAGE,
            ),
            Operation(
                f"{ROOT}/incidents/{{id}}",
                "incident",
                "One incident with its alerts and notifications.",
                IncidentDetail,
                self._incident,
                (Parameter("id", "The id of the incident.", place="path"),),
                "nothing is known of an incident of that id",
            ),
            notifications,
            replace(
                notifications,
                path=f"{ROOT}/history",
                name="history",
                about="The same under its earlier name, which goes on. The command `history` is about alerts.",
            ),
            Operation(
                f"{ROOT}/dead-letters",
                "deadLetters",
                "The notifications that were refused for good, the newest first.",
                ResultPage[NotificationSummary],
                self._dead_letters,
                (*PAGE, *CHANNEL),
            ),
            Operation(
                f"{ROOT}/searches",
                "searches",
                "The searches with their freshness.",
                ResultPage[SearchSummary],
                self._searches,
                PAGE,
            ),
            Operation(
                f"{ROOT}/receivers",
                "receivers",
                "The receivers with their channels.",
                ResultPage[ReceiverSummary],
                self._receivers,
                PAGE,
            ),
            Operation(
                f"{ROOT}/campaigns",
                "campaigns",
                "The campaigns whose messages are known, the one with the latest report first.",
                ResultPage[CampaignSummary],
                self._campaigns,
                (*PAGE, SEARCH),
            ),
            Operation(
                f"{ROOT}/campaigns/{{trackingId}}",
                "campaign",
                "One campaign with its breakdown and its course.",
                CampaignDetail,
                self._campaign,
                (Parameter("trackingId", "Routee's tracking id of the campaign.", place="path", is_rest=True),),
                "no messages of a campaign with this tracking id are known",
            ),
            Operation(
                f"{ROOT}/delivery/map",
                "deliveryMap",
                "Delivery by country and operator.",
                DeliveryMap,
                self._map,
                (span, ACCOUNT),
                no_account,
            ),
            Operation(
                f"{ROOT}/delivery/series",
                "deliverySeries",
                "Delivery over time: share, volume and latency.",
                DeliverySeries,
                self._series,
                (
                    duration("for", "How far back, up to the latest poll.", 7 * DAY, 6 * HOUR, "6h"),
                    duration("step", "The length of the span of each point.", DAY, 5 * MINUTE, "5m"),
                    pairs("where", "Only messages whose field has this value; once for each field.", CODED_FIELDS),
                    ACCOUNT,
                ),
                no_account,
            ),
        )


NAMED_BY: Final = "The alert's own fingerprint, or of a present alert that of its labels or the first characters (at least 4) of either."
CHANNEL: Final = (
    Parameter("receiver", "Only this receiver."),
    Parameter("channel", "Only this channel of a receiver: `slack/0`."),
)
NOTIFICATIONS: Final = (
    *CHANNEL,
    words("outcome", "Only notifications with this outcome.", FATES),
    Parameter("fingerprint", f"Only notifications with this alert. {NAMED_BY}"),
    Parameter("incident", "Only notifications of this incident."),
    time("since", "Only notifications that were made at this time or later."),
    time("until", "Only notifications that were made at this time or earlier."),
)
_FROM_STORE: Final = frozenset(
    {"alert", "incidents", "incident", "notifications", "history", "deadLetters", "receivers"}
)
_RETRIED: Final = {
    "id": {"type": "integer", "minimum": 1, "maximum": (1 << 53) - 1, "description": "Only this notification."},
    "receiver": {"type": "string", "maxLength": LONGEST, "description": "Only those to this receiver."},
    "channel": {"type": "string", "maxLength": LONGEST, "description": "Only those to this channel: `slack/0`."},
}
_RETRY: Final = {"type": "object", "additionalProperties": False, "properties": _RETRIED}
_FINGERPRINT: Final = (Parameter("fingerprint", NAMED_BY, place="path"),)
_ACKNOWLEDGEMENT: Final = f"{ROOT}/alerts/{{fingerprint}}/acknowledgement"
DESCRIBED: Final = (
    Described(
        f"{ROOT}/dead-letters/retry",
        "post",
        "retryDeadLetters",
        "Sends dead letters again: all of them, or those that the body selects; at most 1,000 in one request.",
        RetriedDeadLetters,
        _RETRY,
        changes=True,
        can_be_missing=True,
    ),
    Described(
        f"{ROOT}/status",
        "get",
        "status",
        "The daemon's status: searches, alerts, outbox, dead letters, silences.",
        {
            "type": "object",
            "required": [
                "running",
                "version",
                "since",
                "searches",
                "alerts",
                "outbox",
                "deadLetters",
                "setAside",
                "silences",
            ],
        },
    ),
    Described(
        _ACKNOWLEDGEMENT,
        "get",
        "acknowledgement",
        "Who takes care of an alert.",
        Acknowledgement,
        parameters=_FINGERPRINT,
        can_be_missing=True,
    ),
    Described(
        _ACKNOWLEDGEMENT,
        "post",
        "acknowledge",
        "Takes care of an alert: it is not repeated until it resolves, or until the given time.",
        ChangedAcknowledgement,
        {
            "type": "object",
            "required": ["by"],
            "properties": {
                "by": {"type": "string", "minLength": 1, "maxLength": 1000},
                "comment": {"type": "string", "maxLength": 1000},
                "until": {"type": "string", "format": "date-time", "description": "Not together with `for`."},
                "for": {"type": "string", "description": "How long: `4h`."},
            },
        },
        _FINGERPRINT,
        changes=True,
        can_be_missing=True,
    ),
    Described(
        _ACKNOWLEDGEMENT,
        "delete",
        "unacknowledge",
        "Takes care of an alert no longer.",
        ChangedAcknowledgement,
        None,
        _FINGERPRINT,
        changes=True,
        can_be_missing=True,
    ),
)
"""The operations whose endpoints are not made from the table."""


def _retry_filter(body: Mapping[str, Any]) -> tuple[NotificationFilter, int | None]:
    """Returns which dead letters a request asks for. Raises ValueError."""
    for name in body:
        if name not in _RETRIED:
            raise ValueError(unknown_words(name, _RETRIED))
    number = _whole(body["id"]) if "id" in body else None
    texts = {}
    for name in ("receiver", "channel"):
        if name in body:
            text = texts[name] = body[name]
            if not (isinstance(text, str) and len(text) <= LONGEST):
                raise ValueError(f"{name}: should be text of at most {LONGEST} characters")
    return NotificationFilter(**texts), number


def _whole(number: object) -> int:
    """Returns the number of a notification; JSON may write a whole number as 5.0. Raises ValueError."""
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not 0 < number < 1 << 53 or number % 1:
        raise ValueError("id: should be the number of a notification")
    return int(number)
