"""Sends HTML forms as a browser does: with their hidden fields and the cookies that came with them."""

import re
from collections.abc import Mapping

import httpx

_HIDDEN = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)">')


def hidden_fields(page: str) -> dict[str, str]:
    """Returns the hidden fields of the page's forms; of several with one name the last."""
    return dict(_HIDDEN.findall(page))


async def submit(
    browser: httpx.AsyncClient,
    path: str,
    data: Mapping[str, str],
    headers: Mapping[str, str] | None = None,
    at: str | None = None,
) -> httpx.Response:
    """Loads the page ``at`` (by default ``path``) and posts its form to ``path`` with ``data`` filled in."""
    page = await browser.get(path if at is None else at)
    return await browser.post(path, data={**hidden_fields(page.text), **data}, headers=dict(headers or {}))
