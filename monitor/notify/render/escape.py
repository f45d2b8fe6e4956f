"""Making data harmless in the language of the place where it is put."""

import json
import re
from typing import Any, Final, Literal
from urllib.parse import quote_plus

import msgspec
from markupsafe import escape as markup

Escape = Literal["none", "slack", "json", "html", "form"]
"""The language that values are escaped for. ``html`` is XML too, ``form`` is ``a=b&c=d`` as HTML forms send it."""

_WORD_JOINER: Final = "\u2060"
"""Not seen, but what it stands in is no longer a name that Slack would look up."""

_ENTITIES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_MARKS: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "*": "∗", "~": "∼", "`": "ˋ"})
# Slack's markup has no way to escape * ~ ` and _, so signs that look the same stand in for them. An underscore inside a word
# is no markup, and stays, so that names can be copied.
_UNDERSCORE: Final = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_MENTION: Final = re.compile(r"@(?=here|channel|everyone)", re.IGNORECASE)
_EMOJI: Final = re.compile(r":(?!\d\d:\d\d(?!\d))(?=[\w+'-]+:)")  # a time of day is none: 17:02:05
_CODE: Final = re.compile(r"`([^`\n]+)`")
_MARKDOWN: Final = re.compile(r"[\\`*_~|<>\[\]()#]")
_HTML: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})


def slack(text: str) -> str:
    """``text`` such that Slack shows exactly it: no mention, no link, no markup, no emoji comes of it."""
    quiet = _EMOJI.sub(":" + _WORD_JOINER, _MENTION.sub("@" + _WORD_JOINER, text))
    return _UNDERSCORE.sub("＿", quiet).translate(_MARKS)


def slack_prose(text: str) -> str:
    """As `slack`, but what stands between backticks is shown as code, as it is: for what the owner of a rule writes."""
    parts = _CODE.split(text)
    return "".join(
        slack(part) if place % 2 == 0 else f"`{part.translate(_ENTITIES)}`" for place, part in enumerate(parts)
    )


def html(text: object) -> str:
    """``text`` such that HTML shows exactly it, also within a quoted attribute."""
    return str(text).translate(_HTML)


def markdown(text: object) -> str:
    """``text`` such that Discord shows exactly it: no mention, no link, no markup comes of it. At most twice as long."""
    quiet = _MENTION.sub("@" + _WORD_JOINER, str(text)).replace("://", f":{_WORD_JOINER}//")
    return _MARKDOWN.sub(r"\\\g<0>", quiet)


def of_content_type(content_type: str) -> Escape:
    """The language of a body with this content type; plain text needs no escaping."""
    kind = content_type.partition(";")[0].strip().lower()
    if "json" in kind:
        return "json"
    if "html" in kind or "xml" in kind:
        return "html"
    return "form" if kind == "application/x-www-form-urlencoded" else "none"


def html_text(value: object) -> str:
    """A value such that HTML and XML show exactly it, also within an attribute in quotes of either kind."""
    return str(markup(str(value)))


def form_text(value: object) -> str:
    """A value inside the body of a form."""
    return quote_plus(str(value), errors="replace")


def json_text(value: object) -> str:
    """A value inside a JSON document: text without its quotation marks (the template has them), anything else as JSON."""
    return to_json(value)[1:-1] if isinstance(value, str) else to_json(value)


def to_json(value: object, **options: Any) -> str:
    """JSON of plain values and of our own (alerts, samples, links)."""
    return json.dumps(plain(value), ensure_ascii=False, **options)


def plain(value: object) -> Any:
    """Plain values of our own."""
    return msgspec.to_builtins(value, str_keys=True)
