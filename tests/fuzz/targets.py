"""What is fed with anything at all: each target takes bytes, and nothing may come out of it but what its function promises to raise."""

from collections.abc import Callable
from functools import cache
from typing import Any, Final
from urllib.parse import quote_from_bytes

import trio

from monitor.config.yaml.document import parse_document
from monitor.daemon.health import Health
from monitor.daemon.http.alertmanager_api import AlertmanagerApi, ApiStatus
from monitor.daemon.http.app import make_app
from monitor.daemon.http.own_api import OwnApi
from monitor.daemon.metrics import Metrics
from monitor.ingest.routee.wire import Malformed, decode_page, decode_parts
from monitor.notify.render import Templates
from monitor.notify.render.context import notification_context
from monitor.notify.render.template_problem import TemplateProblem
from monitor.routing.matchers import matches, parse_matcher, parse_matchers
from monitor.runtime.clock import SystemClock, format_duration, parse_duration
from tests.fakes.alert_actions import FakeAlertActions
from tests.fakes.alerts import NOW, notification_of, rate
from tests.fakes.waiting import guarded

Target = Callable[[bytes], object]

TOKEN: Final = "token"
_LABELS: Final = {"alertname": "Failing", "operator": "Cosmote", "country": "GR"}
_PATHS: Final = (
    "/api/v2/silences",
    "/api/v2/alerts",
    "/api/v2/alerts/groups",
    "/api/v2/silence/",
    "/api/v1/",
    "/metrics",
    "/",
)
_METHODS: Final = ("GET", "POST", "DELETE", "PUT", "HEAD", "OPTIONS")


def page(data: bytes) -> object:
    """An answer of Routee's to a search."""
    try:
        return list(decode_page(data, NOW).batch.rows())
    except Malformed:
        return None


def parts(data: bytes) -> object:
    """An answer of Routee's about one message."""
    try:
        return list(decode_parts(data).batch.rows())
    except Malformed:
        return None


def document(data: bytes) -> object:
    """A configuration file."""
    return parse_document(data, "monitor.yaml", {"HOME": "/root"}).problems


def matcher(data: bytes) -> object:
    """What somebody writes behind ``matchers``."""
    found: list[bool] = []
    for parse in (lambda text: (parse_matcher(text),), parse_matchers):
        try:
            found.append(matches(parse(_text(data)), _LABELS))
        except ValueError:
            found.append(False)
    return found


def duration(data: bytes) -> object:
    """What somebody writes behind ``every``."""
    text = _text(data)
    try:
        length = parse_duration(text)
    except ValueError:
        return None
    assert parse_duration(format_duration(length)) == length
    return length


def template(data: bytes) -> object:
    """A template of one's own."""
    try:
        return Templates().compile(_text(data)).render(_context(), 2_000)
    except TemplateProblem:
        return None


def http(data: bytes) -> object:
    """A request: the first three bytes choose method, path and whether it has the token; then query or body."""
    head, rest = data[:3].ljust(3, b"\0"), data[3:]
    method, path = _METHODS[head[0] % len(_METHODS)], _PATHS[head[1] % len(_PATHS)]
    query = quote_from_bytes(rest[:200], "=&%+!~{}").encode() if head[2] & 1 else b""
    path += quote_from_bytes(rest[:60]) if path.endswith("/") and head[2] & 2 else ""
    status = trio.run(_asked, method, path, query, rest, bool(head[2] & 4))
    assert status < 500, f"{method} {path} was answered {status}"
    return status


async def _asked(method: str, path: str, query: bytes, body: bytes, with_token: bool) -> int:
    """The status that the listener's application answers with."""
    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    headers += [(b"authorization", b"Bearer " + TOKEN.encode())] if with_token else []
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 9465),
        "state": {},
    }
    statuses: list[int] = []
    coming = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if coming:
            return coming.pop()
        await trio.sleep_forever()
        raise AssertionError

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    with guarded():
        await _app()(scope, receive, send)
    [status] = statuses
    return status


@cache
def _app() -> Any:
    actions, clock = FakeAlertActions([rate()]), SystemClock()
    apis = [
        *AlertmanagerApi(actions, ApiStatus("1", ("ops",), "route: {}"), clock, TOKEN).routes(),
        *OwnApi(actions, clock, TOKEN).routes(),
    ]
    return make_app(Health(lambda: 0.0), Metrics(clock), token=TOKEN, apis=apis)


@cache
def _context() -> dict[str, Any]:
    return notification_context(notification_of(rate()), {})


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


TARGETS: Final[dict[str, Target]] = {
    "page": page,
    "parts": parts,
    "document": document,
    "matcher": matcher,
    "duration": duration,
    "template": template,
    "http": http,
}

_RECORD = b'{"smsId":"a","messageId":"b","to":"+30691","status":{"status":"Delivered","date":"2026-11-21T17:07:04Z"},"parts":1,"part":1}'
_SILENCE = (
    b'{"matchers":[{"name":"alertname","value":"X","isRegex":false}],"startsAt":"2026-11-21T10:00:00Z",'
    b'"endsAt":"2036-11-21T10:00:00Z","createdBy":"ann","comment":"c"}'
)
SEEDS: Final[dict[str, list[bytes]]] = {
    "page": [b'{"content":[' + _RECORD + b'],"totalElements":1,"last":true,"number":0}', b"{}", b"<html>"],
    "parts": [b"[" + _RECORD + b"]", b"[]"],
    "document": [
        b"rules: [rules/*.yaml]\nroute: {receiver: ops, group_by: ['...']}\n",
        b"a: ${HOME:-x}\n",
        b"- &a 1\n- *a\n",
    ],
    "matcher": [b'{operator=~"Cos.*", country!="GR"}', b"a=b", b'"x y"!~"\\u00e4"'],
    "duration": [b"1h30m", b"7d", b"0s"],
    "template": [
        b"{{ labels.operator }}: {{ value | percent }}",
        b"{% for a in alerts %}{{ a.name | upper }}{% else %}x{% endfor %}",
        b"{% if value > 1 %}{{ 7 * '7' }}{% endif %}",
    ],
    "http": [b"\1\0\4" + _SILENCE, b"\0\1\5filter=a%3Db", b"\0\4\2rules", b"\2\3\6abc"],
}
"""Where mutation begins."""
