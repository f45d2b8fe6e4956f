"""Routee's endpoints over a sandbox: takes a request and returns an answer, without waiting."""

import gzip
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from monitor.runtime.clock import Instant, iso
from monitor.simulation.sandbox import apply_fault as spoil
from monitor.simulation.sandbox.control import controlled
from monitor.simulation.sandbox.faults import Fault
from monitor.simulation.sandbox.http import ApiError, SandboxAnswer, SandboxRequest, failure, json_answer
from monitor.simulation.sandbox.question import INVALID, page_asked, search_asked, sort_asked
from monitor.simulation.sandbox.search import SearchRequest
from monitor.simulation.sandbox.state import Sandbox

CAMPAIGN_NOT_FOUND: Final = "400009001"
TRACKING_NOT_FOUND: Final = "404005000"
NOT_AUTHORIZED: Final = "401000000"

_WORTH_COMPRESSING = 1024
_ROUTES: Final = (
    ("POST", "/oauth/token", "token"),
    ("POST", "/sms/tracking", "search"),
    ("GET", "/sms/tracking/single/", "single"),
    ("GET", "/sms/tracking/campaign/", "campaign_tracking"),
    ("GET", "/campaigns/", "campaign"),
    ("GET", "/accounts/me/balance", "balance"),
)


def respond(sandbox: Sandbox, request: SandboxRequest) -> SandboxAnswer:
    """Returns the answer to any request, including faults."""
    if request.path.startswith("/sandbox/"):
        return controlled(sandbox, request)
    endpoint, rest = _endpoint_of(request)
    sandbox.requests[endpoint] += 1
    now = sandbox.advance()
    faults = sandbox.faults.take(endpoint, now)
    if any(fault.kind == "expired_tokens" for fault in faults):
        sandbox.account.revoke_tokens()
    answer = spoil.error(faults) or _right_answer(sandbox, endpoint, rest, request, now, faults)
    answer = _compressed(sandbox, request, spoil.body(answer, faults))
    sandbox.answers[answer.status] += 1
    return replace(answer, answer_timing=spoil.answer_timing(faults))


def _endpoint_of(request: SandboxRequest) -> tuple[str, str]:
    """Returns which endpoint is meant, and the rest of the path."""
    for method, path, endpoint in _ROUTES:
        rest = request.path.removeprefix(path)
        found = request.path.startswith(path) and (bool(rest) if path.endswith("/") else not rest) and "/" not in rest
        if found:
            return (endpoint, rest) if request.method == method else ("wrong_method", rest)
    return "unknown", ""


def _right_answer(
    sandbox: Sandbox, endpoint: str, rest: str, request: SandboxRequest, now: Instant, faults: list[Fault]
) -> SandboxAnswer:
    try:
        if endpoint == "unknown":
            raise ApiError("404000000", f"There is nothing at {request.path}")
        if endpoint == "wrong_method":
            raise ApiError("405000000", f"{request.method} is not possible at {request.path}")
        if endpoint == "token":
            return _token(sandbox, request, now)
        if not sandbox.account.admits(request.bearer or "", now):
            raise ApiError(
                NOT_AUTHORIZED, "The access token is missing, unknown or expired", {"WWW-Authenticate": "Bearer"}
            )
        return _ENDPOINTS[endpoint](sandbox, rest, request, now, faults)
    except ApiError as refused:
        return refused.answer()


def _token(sandbox: Sandbox, request: SandboxRequest, now: Instant) -> SandboxAnswer:
    if request.basic != sandbox.account.credentials:
        raise ApiError("401010000", "Application id or secret is wrong", {"WWW-Authenticate": 'Basic realm="oauth"'})
    if b"grant_type=client_credentials" not in request.body.split(b"&"):
        raise ApiError("400000000", "grant_type has to be client_credentials")
    token, seconds = sandbox.account.new_token(now)
    permissions = ["MT_ROLE_SMS", "MT_ROLE_REPORT", "MT_ROLE_ACCOUNT"]
    fields = {"access_token": token, "token_type": "bearer", "expires_in": seconds - 1, "scope": "sms report account"}
    return json_answer(fields | {"permissions": permissions})


def _search(sandbox: Sandbox, rest: str, request: SandboxRequest, now: Instant, faults: list[Fault]) -> SandboxAnswer:
    search = search_asked(request, now)
    if search.tracking_id is not None and not sandbox.has_campaign(search.tracking_id):
        raise ApiError(CAMPAIGN_NOT_FOUND, "The campaign was not found")
    return _page(sandbox, search, request, now, faults)


def _campaign_tracking(
    sandbox: Sandbox, rest: str, request: SandboxRequest, now: Instant, faults: list[Fault]
) -> SandboxAnswer:
    if not sandbox.has_campaign(rest):
        raise ApiError(CAMPAIGN_NOT_FOUND, "The campaign was not found")
    sort, descending = sort_asked(request)
    return _page(sandbox, SearchRequest(tracking_id=rest, sort=sort, descending=descending), request, now, faults)


def _page(
    sandbox: Sandbox, search: SearchRequest, request: SandboxRequest, now: Instant, faults: list[Fault]
) -> SandboxAnswer:
    page, size = page_asked(request)
    numbers = sandbox.select(search, now)
    paging = spoil.Paging(page, size, len(numbers)).spoiled(faults)
    rows = sandbox.encoded(numbers[paging.offset : paging.offset + paging.held], now)
    head = b'{"content":[%b],"totalPages":%d,"totalElements":%d,"number":%d,"size":%d,"numberOfElements":%d,"first":%b,"last":%b}'
    yes_no = (b"false", b"true")
    first, last = yes_no[page == 0], yes_no[paging.last]
    return SandboxAnswer(200, head % (b",".join(rows), paging.pages, paging.total, page, size, len(rows), first, last))


def _single(sandbox: Sandbox, rest: str, request: SandboxRequest, now: Instant, faults: list[Fault]) -> SandboxAnswer:
    numbers = sandbox.parts_of(rest, now)
    if not len(numbers):
        raise ApiError(TRACKING_NOT_FOUND, "The tracking was not found")
    return SandboxAnswer(200, b"[%b]" % b",".join(sandbox.encoded(numbers, now, "single")))


def _campaign(sandbox: Sandbox, rest: str, request: SandboxRequest, now: Instant, faults: list[Fault]) -> SandboxAnswer:
    if not sandbox.has_campaign(rest):
        raise ApiError(CAMPAIGN_NOT_FOUND, "The campaign was not found")
    return json_answer(campaign_record(sandbox, rest, now))


def campaign_record(sandbox: Sandbox, tracking_id: str, now: Instant) -> dict[str, object]:
    """Returns a campaign's state as its endpoint answers it."""
    statuses = sandbox.statuses(now, tracking_id)
    seen: dict[str, object] = {
        "trackingId": tracking_id,
        "type": "Sms",
        "statuses": statuses,
        "smsAnalysis": {"numberOfRecipients": sum(statuses.values())},
    }
    return seen | _plan(sandbox, tracking_id, now) | sandbox.campaigns.get(tracking_id, {})


def _plan(sandbox: Sandbox, tracking_id: str, now: Instant) -> dict[str, object]:
    """Returns the planned data of a campaign that the traffic created."""
    campaign = sandbox.model.campaigns.get(tracking_id)
    if campaign is None:
        streams = (each for each in sandbox.known.streams.entries if each.tracking_id == tracking_id and each.campaign)
        return {"state": "Running", "campaignName": next((each.campaign for each in streams), None)}
    over = now >= campaign.start + campaign.duration
    return {
        "state": "Finished" if over else "Running" if now >= campaign.start else "Scheduled",
        "campaignName": campaign.stream.campaign,
        "scheduledDate": iso(campaign.start // 1_000_000 * 1_000_000),
        "createdAt": iso((campaign.start - campaign.duration) // 1_000_000 * 1_000_000),
        "smsAnalysis": {"numberOfRecipients": campaign.recipients},
    }


def _balance(sandbox: Sandbox, rest: str, request: SandboxRequest, now: Instant, faults: list[Fault]) -> SandboxAnswer:
    return json_answer({"balance": sandbox.balance, "currency": {"code": "EUR", "name": "Euro", "sign": "€"}})


Handler = Callable[[Sandbox, str, SandboxRequest, Instant, list[Fault]], SandboxAnswer]
_ENDPOINTS: Final[dict[str, Handler]] = {
    "search": _search,
    "campaign_tracking": _campaign_tracking,
    "single": _single,
    "campaign": _campaign,
    "balance": _balance,
}


def _compressed(sandbox: Sandbox, request: SandboxRequest, answer: SandboxAnswer) -> SandboxAnswer:
    wanted = sandbox.gzip and "gzip" in request.headers.get("accept-encoding", "")
    if not wanted or len(answer.body) < _WORTH_COMPRESSING:
        return answer
    body = gzip.compress(answer.body, compresslevel=1, mtime=0)
    return replace(answer, body=body, headers=answer.headers | {"Content-Encoding": "gzip"})


def bad_request(message: str) -> SandboxAnswer:
    """Returns the answer to a malformed HTTP request."""
    return failure(400, INVALID, message)
