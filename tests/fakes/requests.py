"""Checks requests to services against the documented schemas in testdata/schemas, and against limits that no schema can express."""

import json
from collections.abc import Callable
from functools import lru_cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

SCHEMAS = Path(__file__).parent.parent / "testdata" / "schemas"


@lru_cache
def _validator(name: str) -> Draft202012Validator:
    schema = json.loads((SCHEMAS / f"{name}.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def problem_texts(name: str, body: bytes) -> list[str]:
    """Returns why the service would refuse this body; empty if it would accept it. ``name`` is that of a schema (``opsgenie-close``)."""
    data = json.loads(body)
    wrong = [f"{error.json_path}: {error.message[:200]}" for error in _validator(name).iter_errors(data)]
    return wrong or [said for said in _SUMS.get(name, lambda data, body: [])(data, body) if said]


def units(text: str) -> int:
    """Returns the length of a text in UTF-16 units, as JavaScript, Discord and Telegram count it."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


class Shown(HTMLParser):
    """The text that Telegram shows for HTML, its ``links``, and the ``tags`` that it interprets."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text, self.links, self.tags, self._open = "", [], set(), []
        self.feed(text)
        self.close()
        assert not self._open, f"{self._open} is not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._open.append(tag)
        self.links += [value for name, value in attrs if name == "href"]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def _opsgenie(data: dict[str, Any], body: bytes) -> list[str]:
    details = sum(len(name) + len(value) for name, value in data.get("details", {}).items())
    return [f"details have {details} characters"] if details > 8000 else []


def _teams(data: dict[str, Any], body: bytes) -> list[str]:
    return [f"the message has {len(body)} bytes"] if len(body) > 28 * 1024 else []


def _discord(data: dict[str, Any], body: bytes) -> list[str]:
    total = 0
    for embed in data["embeds"]:
        texts = [embed.get("title", ""), embed.get("description", ""), embed["footer"]["text"]]
        texts += [part for field in embed["fields"] for part in (field["name"], field["value"])]
        total += sum(map(units, texts))
    said = [f"the embeds have {total} characters"] if total > 6000 else []
    limits = [(data["content"], 2000), *((embed.get("description", ""), 4096) for embed in data["embeds"])]
    return said + [f"{units(text)} characters, of {most}" for text, most in limits if units(text) > most]


def _telegram(data: dict[str, Any], body: bytes) -> list[str]:
    shown = Shown(data["text"])
    odd = shown.tags - {"b", "i", "u", "s", "a", "code", "pre"}
    said = [f"the text has {units(shown.text)} characters"] if not 0 < units(shown.text) <= 4096 else []
    return said + ([f"unknown tags {odd}"] if odd else [])


_SUMS: dict[str, Callable[[dict[str, Any], bytes], list[str]]] = {
    "opsgenie-create": _opsgenie,
    "teams": _teams,
    "discord": _discord,
    "telegram": _telegram,
}
