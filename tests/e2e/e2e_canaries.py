"""A configuration with a canary in every secret, found by walking the models, and a world that answers by repeating what it was asked."""

import base64
import itertools
import json
import typing
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import SecretStr

from monitor.config.monitor import CHANNEL_MODELS, ChannelModel, Config
from monitor.config.yaml import YamlModel
from monitor.runtime.clock import SECOND, SystemClock, iso
from tests.fakes.http import Answer, Asked, serving
from tests.fakes.routee import sms

_numbers = itertools.count(10)

Place = tuple[str, str]
"""A model's name and its field."""


def secret_places(model: type[YamlModel] = Config) -> set[Place]:
    """Every field of the configuration that holds a secret, wherever it stands."""
    return {(of.__name__, name) for of in set(models(model)) for name in _secret_fields(of)}


def models(model: type[YamlModel]) -> Iterator[type[YamlModel]]:
    """A model and those below it."""
    seen, left = set[type[YamlModel]](), [model]
    while left:
        one = left.pop()
        if one in seen:
            continue
        seen.add(one)
        yield one
        for info in one.model_fields.values():
            left += [kind for kind in _kinds(info.annotation) if issubclass(kind, YamlModel)]
        left += CHANNEL_MODELS.values() if one is ChannelModel else ()


def _secret_fields(model: type[YamlModel]) -> Iterator[str]:
    for name, info in model.model_fields.items():
        if any(issubclass(kind, SecretStr) for kind in _kinds(info.annotation)):
            yield name


def _kinds(annotation: Any) -> Iterator[type]:
    """The classes that an annotation speaks of."""
    if isinstance(annotation, type) and not typing.get_args(annotation):
        yield annotation
    for inner in typing.get_args(annotation):
        if not isinstance(inner, (str, bytes, int)):
            yield from _kinds(inner)


@dataclass
class Canaries:
    """Secrets that were planted. Each begins with the same letters, so that a part of one is found as well."""

    planted: dict[Place, list[str]] = field(default_factory=dict)

    def new(self, model: str, name: str, form: str = "{}") -> str:
        """A secret for that field; ``form`` is how it is written there."""
        # Never the same twice in a process: what was hidden from one test's log is not known in the next one.
        secret = f"CaNaRy{next(_numbers)}x{name.replace('_', '')}"
        self.planted.setdefault((model, name), []).append(secret)
        return form.format(secret)

    def found_in(self, text: bytes) -> list[str]:
        """What of them stands in it, also in the forms that programs give to secrets."""
        everything = [secret for some in self.planted.values() for secret in some]
        forms = {form for secret in everything for form in _forms(secret)}
        return sorted(form for form in forms if form.encode() in text) + ["CaNaRy"] * (b"CaNaRy" in text)


def _forms(secret: str) -> Iterator[str]:
    yield from (secret, quote(secret), secret[::-1])
    for before in ("", "x", "xx"):  # wherever in a longer text it stood
        yield base64.b64encode((before + secret).encode()).decode().rstrip("=")[4:-2]


def configuration(url: str, canaries: Canaries, folder: Path) -> dict[str, Any]:
    """``monitor.yaml``: one of everything that holds a secret; what can stand in a file does, for every other one."""
    new = canaries.new
    token_file = folder / "web_token"
    token_file.write_text(new("Web", "token"))
    account = {"name": "main", "api_url": url, "auth_url": url, "requests_per_second": 1000}
    account |= {key: new("Account", key) for key in ("application_id", "application_secret", "callback_secret")}
    bot = {"channel": "#sms-ops", "token": new("Slack", "token", "xoxb-{}"), "api_url": f"{url}/slack/api/"}
    bot |= {"app_token": new("Slack", "app_token", "xapp-{}")}
    hook = {"url": new("Webhook", "url", f"{url}/hook/{{}}"), "secret": new("Webhook", "secret")}
    hook |= {"url_resolved": new("Webhook", "url_resolved", f"{url}/hook/{{}}")}
    hook |= {"headers": {"Authorization": new("Webhook", "headers", "GenieKey {}")}}
    hook |= {"template": "pagerduty", "fields": {"routing_key": new("Webhook", "fields")}}
    slack_hook = {"webhook_url": new("Slack", "webhook_url", f"{url}/slack/{{}}")}
    return {
        "accounts": [account],
        "searches": [{"name": "all", "every": "1s"}],
        "rules": ["rules.yaml"],
        "store": "postgresql://monitor@127.0.0.1:9/monitor",
        "store_password": new("Config", "store_password"),
        "receivers": [
            {
                "name": "ops",
                "slack": [bot, slack_hook],
                "webhook": [hook],
                "alertmanager": [
                    {"url": url, "bearer_token": new("Alertmanager", "bearer_token")},
                    {"url": url, "username": "me", "password": new("Alertmanager", "password")},
                ],
                "apprise": [{"url": new("Apprise", "url", "json://" + url.removeprefix("http://") + "/{}")}],
            }
        ],
        "route": {"group_wait": "1s", "group_interval": "1s"},
        "web": {"listen": "127.0.0.1:0", "token_file": str(token_file)},
    }


@dataclass
class Parrot:
    """Routee, Slack, an Alertmanager and webhooks in one, that answer with errors that repeat the request; Routee thinks better of it."""

    canaries: Canaries
    url: str = ""
    asked: dict[str, int] = field(default_factory=dict)

    async def handle(self, asked: Asked) -> Answer:
        path = asked.target.partition("?")[0]
        kind = "token" if "oauth" in path else "search" if path.startswith("/sms") else path.split("/")[1]
        self.asked[kind] = number = self.asked.get(kind, 0) + 1
        if kind == "token" and number != 2:
            access = self.canaries.new("Routee", "access_token")
            return _json({"access_token": access, "expires_in": 3600, "token_type": "bearer"})
        if kind == "search" and number > 2:
            return _json(self._page())
        status = (401, 503, 400, 403, 429, 404, 500)[number % 7]
        return Answer(status, json.dumps(_repeated(asked)).encode(), {"content-type": "application/json"})

    def _page(self) -> dict[str, Any]:
        now = SystemClock().now()
        content = [
            sms("Failed", iso(now - number * SECOND), smsId=f"s{number}", messageId=f"m{number}")
            for number in range(1, 60)
        ]
        return {"content": content, "totalElements": len(content), "totalPages": 1, "last": True, "number": 0}


def _repeated(asked: Asked) -> dict[str, Any]:
    """All of a request; the secrets stand at the front, where people quote from."""
    headers = " ".join(f"{name}: {value}" for name, value in asked.headers.items())
    authorization = asked.headers.get("authorization", "")
    plain = base64.b64decode(authorization[6:]).decode() if authorization.startswith("Basic ") else ""
    said = f"refused: {authorization} {plain} {asked.target} {headers} {asked.body.decode(errors='replace')}"
    return {"code": "400001", "developerMessage": said, "message": said, "error": said, "ok": False}


def _json(value: Any) -> Answer:
    return Answer(200, json.dumps(value).encode(), {"content-type": "application/json"})


@asynccontextmanager
async def parrot(canaries: Canaries) -> AsyncIterator[Parrot]:
    """Up inside the block."""
    it = Parrot(canaries)
    async with serving(it.handle) as url:
        it.url = url
        yield it
