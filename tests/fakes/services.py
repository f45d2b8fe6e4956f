"""PagerDuty, Opsgenie, Teams, Discord and Telegram on the loopback: each checks addresses, credentials and content as strictly as the real one."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.fakes.http import Answer, Asked, serving
from tests.fakes.requests import problem_texts

ROUTING_KEY = "r0uting" + "k" * 25
GENIE_KEY = "genie-1234-5678"
TELEGRAM_TOKEN = "123456:telegram-bot-token"
CHAT = "-1001234567890"


@dataclass
class FakeServices:
    """Answers for all services.

    ``open`` holds open incidents and alerts by key, ``said`` the accepted chat messages, ``refused`` the refusals with their reasons.
    """

    url: str = ""
    open: dict[str, str] = field(default_factory=dict)
    history: list[tuple[str, str]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    async def handle(self, asked: Asked) -> Answer:
        answer = self._answer(asked)
        if answer.status >= 300:
            self.refused.append(f"{asked.target} {answer.status} {answer.body.decode()}")
        return answer

    def _answer(self, asked: Asked) -> Answer:
        if asked.method != "POST" or asked.headers["content-type"] != "application/json":
            return Answer(415)
        if asked.target == "/v2/enqueue":
            return self._pagerduty(asked)
        if asked.target.startswith("/v2/alerts"):
            return self._opsgenie(asked)
        chats = {
            "/workflows/secret/triggers/manual/paths/invoke?sig=secret": ("teams", 202),
            "/api/webhooks/123/discord-token": ("discord", 204),
            f"/bot{TELEGRAM_TOKEN}/sendMessage": ("telegram", 200),
        }
        if asked.target not in chats:
            return Answer(404)
        name, good = chats[asked.target]
        if wrong := problem_texts(name, asked.body):
            return Answer(400, wrong[0].encode())
        if name == "telegram" and asked.json["chat_id"] != CHAT:
            return Answer(400, b"Bad Request: chat not found")
        self.said.append(asked.body.decode())
        return Answer(good)

    def _pagerduty(self, asked: Asked) -> Answer:
        if wrong := problem_texts("pagerduty", asked.body):
            return Answer(400, json.dumps({"status": "invalid event", "errors": wrong}).encode())
        event = asked.json
        if event["routing_key"] != ROUTING_KEY:
            return Answer(400, f"no integration has the routing key {event['routing_key']}".encode())
        key, action = event["dedup_key"], event["event_action"]
        self.history.append((action, key))
        if action == "trigger":
            self.open[key] = event["payload"]["severity"]
        else:
            self.open.pop(key, None)
        return Answer(202, json.dumps({"status": "success", "dedup_key": key}).encode())

    def _opsgenie(self, asked: Asked) -> Answer:
        if asked.headers.get("authorization") != f"GenieKey {GENIE_KEY}":
            return Answer(401, f"not a key: {asked.headers.get('authorization')}".encode())
        closing = re.fullmatch(r"/v2/alerts/([^/?]+)/close\?identifierType=alias", asked.target)
        if closing is None and asked.target != "/v2/alerts":
            return Answer(404)
        if wrong := problem_texts("opsgenie-close" if closing else "opsgenie-create", asked.body):
            return Answer(422, wrong[0].encode())
        if closing:
            self.history.append(("close", closing[1]))
            self.open.pop(closing[1], None)
        else:
            alias = asked.json["alias"]
            self.history.append(("create", alias))
            self.open.setdefault(alias, asked.json["priority"])  # a repeated alert only raises Opsgenie's count
        return Answer(202)


@asynccontextmanager
async def services() -> AsyncIterator[FakeServices]:
    """Yields the running services."""
    fake = FakeServices()
    async with serving(fake.handle) as url:
        fake.url = url
        yield fake
