"""Whatever is asked for: no answer is a 500, and the lists still answer."""

import json
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import trio
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from plain_client import served

from monitor.daemon.health import Health
from monitor.daemon.http.alert_pages import AlertPages
from monitor.daemon.http.alertmanager_api import AlertmanagerApi, ApiStatus
from monitor.daemon.http.app import make_app
from monitor.daemon.http.own_api import OwnApi
from monitor.daemon.metrics import Metrics
from monitor.runtime.clock import HOUR, MINUTE, SystemClock, iso
from tests.fakes.alert_actions import FakeAlertActions
from tests.fakes.alerts import rate, spike

NOW = SystemClock().now()
FIRES = rate(starts_at=NOW - 5 * MINUTE, as_of=NOW)
LISTS = (
    "/api/v2/silences",
    "/api/v2/alerts",
    "/api/v2/alerts/groups",
    "/api/v2/status",
    f"/alerts/{FIRES.fingerprint}",
)

INSTANTS = st.sampled_from(
    [
        iso(NOW),
        iso(NOW + HOUR),
        "9999-12-31T23:59:59-14:00",
        "9999-12-31T23:59:59Z",
        "9998-12-31T00:00:00-23:59",
        "0001-01-01T00:00:00+14:00",
        "1969-12-31T23:59:59Z",
        "2026-11-21T17:07:04.999999999999+23:59",
        "20261121",
        "2026-W47-6",
        "99999-01-01T00:00:00Z",
    ]
)
DURATIONS = st.sampled_from(["36500d", "1s", "0s", "99999d", "9" * 40 + "d", "-1h", "1e308s", "1h30m"])
PATTERNS = st.sampled_from(
    [
        r"(?i)(?:\pL\PL){12}",
        r"\pL" * 300,
        "a{0,1000}" * 99,
        "(",
        "x" * 1_001,
        "",
        ".*",
        ".+",
        "Cosmote|Wind",
        "\ud800",
        "\0",
    ]
)
TEXTS = st.text(max_size=20) | PATTERNS | st.just("ann") | st.just("x" * 2_000)
NUMBERS = st.sampled_from([0, -1, 2**63, 10**400, 1e308, float("nan"), float("inf")])
ODD = st.none() | st.booleans() | NUMBERS | TEXTS | st.just([]) | st.just({}) | st.just([[[]]]) | INSTANTS
MATCHERS = st.lists(
    st.fixed_dictionaries(
        {"name": st.just("operator") | ODD, "value": PATTERNS | ODD},
        optional={"isRegex": st.booleans() | ODD, "isEqual": st.booleans() | ODD},
    )
    | ODD,
    max_size=3,
) | st.just([{"name": "operator", "value": r"(?i)(?:\pL\PL){12}", "isRegex": True}] * 2_000)
DURING = st.fixed_dictionaries(
    {},
    optional={
        "weekdays": st.lists(TEXTS, max_size=2),
        "times": st.lists(st.fixed_dictionaries({"start_time": TEXTS, "end_time": TEXTS}), max_size=2),
        "location": st.sampled_from(["Europe/Athens", "../etc/passwd", "x" * 2_000, "\0"]) | ODD,
        "years": st.lists(st.sampled_from(["2026", "0:9999", "99999999999", "-1"]), max_size=2),
    },
)
SILENCES = st.fixed_dictionaries(
    {
        "matchers": MATCHERS | ODD,
        "startsAt": INSTANTS | ODD,
        "endsAt": INSTANTS | ODD,
        "createdBy": st.just("ann") | ODD,
        "comment": st.just("why") | ODD,
    },
    optional={"id": ODD, "during": DURING | ODD},
)
PLAIN = {
    "matchers": [{"name": "operator", "value": "Cosmote"}],
    "createdBy": "ann",
    "comment": "why",
    "startsAt": iso(NOW),
}
ACKS = st.fixed_dictionaries(
    {"by": st.just("ann") | ODD}, optional={"comment": ODD, "for": DURATIONS | ODD, "until": INSTANTS | ODD}
)
FORMS = st.fixed_dictionaries(
    {
        "matchers": PATTERNS.map(lambda one: f'operator=~"{one}"') | TEXTS,
        "for": DURATIONS | TEXTS,
        "by": TEXTS,
        "comment": TEXTS,
    }
)
QUERIES = st.lists(
    st.tuples(
        st.sampled_from(["filter", "receiver", "active", "silenced", "limit", "offset"]),
        PATTERNS.map(lambda one: f'operator=~"{one}"') | TEXTS | st.just(",".join(["a=~b"] * 51)),
    ),
    max_size=4,
)


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(SILENCES, ACKS, FORMS, QUERIES)
@example(PLAIN | {"endsAt": "9999-12-31T23:59:59-14:00"}, {"by": "ann", "for": "36500d"}, {}, [])
@example(PLAIN | {"endsAt": "9998-12-31T00:00:00Z"}, {"by": "ann", "until": "9998-12-31T00:00:00Z"}, {}, [])
@example(PLAIN | {"endsAt": "9998-12-31T00:00:00Z", "startsAt": "9998-01-01T00:00:00Z"}, {}, {}, [])
@example(
    PLAIN | {"endsAt": iso(NOW + HOUR), "comment": "\ud800", "createdBy": "\udfff", "id": ""}, {"by": "\ud800"}, {}, []
)
def test_no_answer_is_a_500_and_lists_still_answer(
    silence: dict[str, Any], ack: dict[str, Any], form: dict[str, str], query: list[tuple[str, str]]
) -> None:
    trio.run(_asked, silence, ack, form, query)


async def _asked(
    silence: dict[str, Any], ack: dict[str, Any], form: dict[str, str], query: list[tuple[str, str]]
) -> None:
    clock = SystemClock()
    actions = FakeAlertActions([FIRES, spike(starts_at=NOW - HOUR, as_of=NOW)], clock=clock)
    apis = [
        *AlertmanagerApi(actions, ApiStatus("1.2.3", ("ops",), "", "https://sms.example.org"), clock).routes(),
        *OwnApi(actions, clock).routes(),
        *AlertPages(actions, clock).routes(),
    ]
    asked = urlencode([(name, text.encode("utf-8", "replace")) for name, text in query])
    filled = {name: text.encode("utf-8", "replace") for name, text in form.items()}
    async with (
        served(make_app(Health(), Metrics(clock), apis=apis)) as url,
        httpx.AsyncClient(base_url=url, timeout=60, verify=False) as client,
    ):
        ack_path = f"/api/v1/alerts/{FIRES.fingerprint}/acknowledgement"
        answers = [
            await client.post("/api/v2/silences", content=json.dumps(silence)),
            await client.post(ack_path, content=json.dumps(ack)),
            await client.post("/silences/new", data=filled, headers={"Origin": url}),
            await client.post(f"/alerts/{FIRES.fingerprint}/acknowledge", data=filled, headers={"Origin": url}),
            *[await client.get(f"{path}?{asked}") for path in LISTS],
            *[await client.get(f"/api/v2/silence/{quote(one.id, safe='')}") for one in actions.kept.all() if one.id],
        ]
        lists = [await client.get(path) for path in LISTS]
    assert [answer.status_code for answer in lists] == [200] * len(LISTS)
    assert [answer.text for answer in answers if answer.status_code >= 500] == []
