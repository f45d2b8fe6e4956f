"""Slack's Web API as far as notifications use it, with its limits and errors, and an incoming webhook.

It keeps the messages of each channel, so that a test can check what a person would see.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl

import trio

from tests.fakes.http import Answer, Asked, serving

TOKEN = "xoxb-fake-token"
APP_TOKEN = "xapp-fake-token"
CHANNELS = {"#sms-ops": "C0SMSOPS", "C0SMSOPS": "C0SMSOPS", "#old": "C0OLD", "C0OLD": "C0OLD"}
ARCHIVED = {"C0OLD"}
_MOST_IN_ALL = 13_000


@dataclass
class Post:
    """A message in a channel; ``said`` is its present content."""

    channel: str
    ts: str
    said: dict[str, Any]
    thread_ts: str | None = None
    edits: int = 0


def _over() -> trio.Event:
    event = trio.Event()
    event.set()
    return event


@dataclass
class FakeSlack:
    """``script`` lists answers to send before all others. ``slow`` is the seconds between accepting a post and answering it.

    ``refused`` maps methods to the errors with which Slack refuses them. Tests change ``channels`` and ``scopes`` as people do in Slack.
    """

    url: str = ""
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    posts: list[Post] = field(default_factory=list)
    script: list[Answer] = field(default_factory=list)
    slow: float = 0.0
    refused: dict[str, str] = field(default_factory=dict)
    channels: dict[str, str] = field(default_factory=lambda: dict(CHANNELS))
    archived: set[str] = field(default_factory=lambda: set(ARCHIVED))
    scopes: str = "chat:write,files:write"
    times: list[float] = field(default_factory=list)
    """The time of each request for a post."""
    uploads: dict[str, bytes] = field(default_factory=dict)
    hanging: trio.Event = field(default_factory=_over)
    """Uploads are not answered until this is set."""
    shared: list[dict[str, str]] = field(default_factory=list)
    """The files that were shared in channels: id, title, channel, thread."""
    socket_url: str = ""
    answers: list[dict[str, Any]] = field(default_factory=list)
    """The replies to people who pressed a button."""

    @property
    def api_url(self) -> str:
        return f"{self.url}/api/"

    @property
    def hook_url(self) -> str:
        return f"{self.url}/services/T000/B000/hook-secret"

    @property
    def main(self) -> list[Post]:
        """Returns the messages of the channel itself."""
        return [post for post in self.posts if post.thread_ts is None]

    @property
    def replies(self) -> list[Post]:
        """Returns the messages in threads."""
        return [post for post in self.posts if post.thread_ts is not None]

    def methods(self) -> list[str]:
        return [method for method, _ in self.calls]

    async def handle(self, asked: Asked) -> Answer:
        if "/upload/" in asked.target:
            return self._uploaded(asked)
        if "/respond/" in asked.target:
            self.answers.append(asked.json)
            return Answer(200, b"ok")
        method = asked.target.rpartition("/api/")[2] if "/api/" in asked.target else "hook"
        said = _said(asked)
        self.calls.append((method, said))
        if method in ("chat.postMessage", "hook"):
            self.times.append(trio.current_time())
        if self.script:
            return self.script.pop(0)
        return self._hook(asked, said) if method == "hook" else await self._api(method, asked, said)

    def _hook(self, asked: Asked, said: dict[str, Any]) -> Answer:
        if not asked.target.endswith("/hook-secret"):
            return Answer(404, b"no_service")
        if broken_limit(said):
            return Answer(400, b"invalid_blocks")
        self._keep("C0HOOK", said)
        return Answer(200, b"ok")

    async def _api(self, method: str, asked: Asked, said: dict[str, Any]) -> Answer:
        if method in self.refused:
            return _no(self.refused[method])
        if method == "apps.connections.open":
            right = asked.headers.get("authorization") == f"Bearer {APP_TOKEN}"
            return _yes(url=self.socket_url) if right else _no("not_allowed_token_type")
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return _no("invalid_auth")
        if method == "auth.test":
            return replace(_yes(user="sms-monitor", team="Ops"), headers={"x-oauth-scopes": self.scopes})
        if method.startswith("files."):
            await self.hanging.wait()
            return self._file(method, said)
        channel = self.channels.get(said.get("channel", ""))
        if channel is None:
            return _no("channel_not_found")
        if channel in self.archived:
            return _no("is_archived")
        if broken_limit(said):
            return _no("invalid_blocks")
        return self._update(channel, said) if method == "chat.update" else self._post(channel, said)

    def _file(self, method: str, said: dict[str, Any]) -> Answer:
        if "files:write" not in self.scopes:
            return _no("missing_scope", needed="files:write")
        if method == "files.getUploadURLExternal":
            file_id = f"F{len(self.uploads)}"
            self.uploads[file_id] = b""
            return _yes(upload_url=f"{self.url}/upload/{file_id}", file_id=file_id)
        (file,) = json.loads(said["files"])
        if not self.uploads.get(file["id"]):
            return _no("file_not_found")
        self.shared.append(file | {"channel": said["channel_id"], "thread_ts": said["thread_ts"]})
        return _yes(files=[file])

    def _uploaded(self, asked: Asked) -> Answer:
        self.uploads[asked.target.rpartition("/")[2]] = asked.body
        return Answer(200, b"OK")

    def _post(self, channel: str, said: dict[str, Any]) -> Answer:
        thread = said.get("thread_ts")
        if thread is not None and self._find(channel, thread) is None:
            return _no("thread_not_found")
        post = self._keep(channel, said)
        return replace(_yes(channel=channel, ts=post.ts), delay=self.slow)

    def _update(self, channel: str, said: dict[str, Any]) -> Answer:
        post = self._find(channel, said["ts"])
        if post is None:
            return _no("message_not_found")
        post.said = said
        post.edits += 1
        return _yes(channel=channel, ts=post.ts)

    def _keep(self, channel: str, said: dict[str, Any]) -> Post:
        post = Post(channel, f"17952808{len(self.posts):02}.000100", said, said.get("thread_ts"))
        self.posts.append(post)
        return post

    def _find(self, channel: str, ts: str) -> Post | None:
        return next((post for post in self.posts if (post.channel, post.ts) == (channel, ts)), None)


def _yes(**more: Any) -> Answer:
    return Answer(200, json.dumps({"ok": True, **more}).encode(), {"content-type": "application/json"})


def _no(error: str, **more: Any) -> Answer:
    said = json.dumps({"ok": False, "error": error, **more}).encode()
    return Answer(200, said, {"content-type": "application/json"})


def _said(asked: Asked) -> dict[str, Any]:
    """Returns the arguments of a request, which are JSON or a form."""
    if "form-urlencoded" in asked.headers.get("content-type", "") and not asked.body.startswith(b"{"):
        return dict(parse_qsl(asked.body.decode()))
    return json.loads(asked.body) if asked.body else {}


def broken_limit(said: dict[str, Any]) -> str:
    """Returns the first of Slack's limits that the message breaks; empty if it keeps them all."""
    if not said.get("text"):
        return "no text"
    if len(json.dumps(said, ensure_ascii=False)) > _MOST_IN_ALL:
        return "too long in all"
    lists = [said.get("blocks", []), *(each.get("blocks", []) for each in said.get("attachments", []))]
    if any(len(blocks) > 50 for blocks in lists) or len(said.get("attachments", [])) > 20:
        return "too many blocks"
    return next((found for blocks in lists for block in blocks if (found := _broken_block(block))), "")


def _broken_block(block: dict[str, Any]) -> str:
    match block["type"]:
        case "section":
            texts = [(block["text"]["text"], 3000)] if "text" in block else []
            texts += [(each["text"], 2000) for each in block.get("fields", [])]
            count, most = len(block.get("fields", [])), 10
        case "header":
            texts, count, most = [(block["text"]["text"], 150)], 1, 1
        case "context":
            texts = [(each["text"], 3000) for each in block["elements"]]
            count, most = len(block["elements"]), 10
        case "actions":
            texts = [(each["text"]["text"], 75) for each in block["elements"]]
            texts += [(each["url"], 3000) if "url" in each else (each["value"], 2000) for each in block["elements"]]
            count, most = len(block["elements"]), 25
        case other:
            return f"unknown block {other}"
    wrong = [text for text, longest in texts if not 1 <= len(text) <= longest]
    return f"{block['type']}: {wrong or count}" if wrong or count > most or not texts else ""


@asynccontextmanager
async def slack(*script: Answer) -> AsyncIterator[FakeSlack]:
    """Yields a running Slack."""
    fake = FakeSlack(script=list(script))
    async with serving(fake.handle) as url:
        fake.url = url
        yield fake
