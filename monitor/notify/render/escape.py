"""Escapes data for the language into which it is inserted."""

import json
import re
from typing import Any, Final, Literal
from urllib.parse import quote_plus

import msgspec
from markupsafe import escape as markup

Escape = Literal["none", "slack", "json", "html", "form"]
"""The language that values are escaped for. ``html`` includes XML; ``form`` is ``a=b&c=d`` as HTML forms send it."""

JSON: Final = "application/json"
"""The content type of a webhook's body, unless the configuration says otherwise."""

_WORD_JOINER: Final = "\u2060"
"""An invisible character; Slack does not look up names that contain it."""

_ENTITIES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_MARKS: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "*": "∗", "~": "∼", "`": "ˋ"})
# Slack's markup has no way to escape * ~ ` and _, so similar characters replace them. An underscore inside a word
# is no markup and stays, so that names can be copied.
_UNDERSCORE: Final = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_MENTION: Final = re.compile(r"@(?=here|channel|everyone)", re.IGNORECASE)
_EMOJI: Final = re.compile(r":(?!\d\d:\d\d(?!\d))(?=[\w+'-]+:)")  # times of day like 17:02:05 are excluded
_CODE: Final = re.compile(r"`([^`\n]+)`")
_MARKDOWN: Final = re.compile(r"[\\`*_~|<>\[\]()#]")
_HTML: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})


def slack(text: str) -> str:
    """Returns ``text`` so that Slack shows it literally, without mentions, links, markup or emoji."""
    quiet = _EMOJI.sub(":" + _WORD_JOINER, _MENTION.sub("@" + _WORD_JOINER, text))
    return _UNDERSCORE.sub("＿", quiet).translate(_MARKS)


def slack_prose(text: str) -> str:
    """Returns ``text`` as `slack` does, but shows text between backticks as code; used for texts of a rule's author."""
    parts = _CODE.split(text)
    return "".join(slack(part) if i % 2 == 0 else f"`{part.translate(_ENTITIES)}`" for i, part in enumerate(parts))


def html(text: object) -> str:
    """Returns ``text`` so that HTML shows it literally, also within a quoted attribute."""
    return str(text).translate(_HTML)


def markdown(text: object) -> str:
    """Returns ``text`` so that Discord shows it literally, without mentions, links or markup. At most twice as long."""
    quiet = _MENTION.sub("@" + _WORD_JOINER, str(text)).replace("://", f":{_WORD_JOINER}//")
    return _MARKDOWN.sub(r"\\\g<0>", quiet)


def of_content_type(content_type: str) -> Escape:
    """Returns the language of a body with this content type; plain text needs no escaping."""
    kind = content_type.partition(";")[0].strip().lower()
    if "json" in kind:
        return "json"
    if "html" in kind or "xml" in kind:
        return "html"
    return "form" if kind == "application/x-www-form-urlencoded" else "none"


def html_text(value: object) -> str:
    """Returns a value so that HTML and XML show it literally, also within an attribute in quotes of either kind."""
    return str(markup(str(value)))


def form_text(value: object) -> str:
    """Returns a value encoded for the body of a form."""
    return quote_plus(str(value), errors="replace")


def json_text(value: object) -> str:
    """Returns a value for a JSON document: text without its quotation marks (the template has them), anything else as JSON."""
    return to_json(value)[1:-1] if isinstance(value, str) else to_json(value)


def to_json(value: object, **options: Any) -> str:
    """Returns the JSON of plain values and of our own types (alerts, samples, links)."""
    return json.dumps(plain(value), ensure_ascii=False, **options)


def plain(value: object) -> Any:
    """Converts values of our own types to plain ones. Raises TypeError, and what the text of a template's unknown name raises."""
    return msgspec.to_builtins(value, str_keys=True, enc_hook=_undefined)


def _undefined(value: object) -> str:
    """Returns the text of what a template does not define: nothing for a condition without an else; an unknown name raises its error."""
    from jinja2 import Undefined

    if isinstance(value, Undefined):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
