"""The forms of the pages: their fields, and reading what people filled in."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

from monitor.daemon.http.access import from_our_page, may_submit
from monitor.daemon.http.visitor import FORM_FIELD, present_visitor
from monitor.runtime.dataclass import dataclass

PREVIEW: Final = "preview"

LONGEST: Final = 128 * 1024
"""The most bytes of a form. Taking apart one of 1 MiB takes so long that everything else would wait for it."""

_MOST_FIELDS: Final = 20
_MOST_TEXT: Final = 10_000


@dataclass(frozen=True, slots=True)
class FormField:
    """One field of a form; ``rows`` is 0 for a single line."""

    name: str
    label: str
    value: str = ""
    type: str = "text"
    hint: str = ""
    rows: int = 0
    required: bool = True
    complete: str = "off"


TOKEN_FIELD: Final = FormField("token", "Token (web.token)", type="password", complete="current-password")


async def read_fields(request: Request, longest: int = LONGEST) -> dict[str, str]:
    """Returns what was filled in, also into hidden fields. Raises HTTPException: 400 if the form cannot be read, 413 if it has too many bytes."""
    body = await request.body()
    if len(body) > longest:
        raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"this form has more than {longest} bytes")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise HTTPException(HTTPStatus.BAD_REQUEST, "this form cannot be read") from None
    return {name: value.strip()[:_MOST_TEXT] for name, value in pairs}


async def read_form(request: Request, token: str, external_url: str) -> dict[str, str]:
    """Returns what was filled in. Raises HTTPException if the form cannot be read or may not be submitted (`may_submit`).

    The button ``do`` with the value `PREVIEW` changes nothing, so it needs no token.
    """
    given = await read_fields(request)
    form_token, shown = given.pop(FORM_FIELD, ""), given.pop("token", "")
    if given.get("do") == PREVIEW:
        from_our_page(request, form_token, external_url)
    else:
        may_submit(request, form_token, shown, token, external_url)
    return given


def filled(fields: Iterable[FormField], given: Mapping[str, str]) -> list[FormField]:
    """Returns the fields with what was filled in, and one for the token if the browser must enter it."""
    shown = [replace(field, value=given.get(field.name, field.value)) for field in fields]
    return [*shown, TOKEN_FIELD] if present_visitor().must_enter_token else shown
