"""Which scopes the bot's token needs, by what Slack says that it has."""

from collections.abc import Mapping
from typing import Final

_HEADER: Final = "x-oauth-scopes"
_WRITE: Final = "chat:write"
_FILES: Final = "files:write"


def lacking(headers: Mapping[str, str], *, chart: bool) -> str:
    """What to do about scopes that are missing, by the headers of an answer of Slack's; empty where nothing is, or Slack does not say."""
    said = next((value for name, value in headers.items() if name.lower() == _HEADER), None)
    if said is None:
        return ""
    has = {scope.strip() for scope in said.split(",")}
    wanted = [_WRITE, *([_FILES] if chart else [])]
    missing = [scope for scope in wanted if scope not in has]
    if not missing:
        return ""
    return f"the bot token lacks the scope {' and '.join(missing)}: add it under OAuth & Permissions, then install the app again"
