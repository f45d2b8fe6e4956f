"""Routee's small answers: token, balance, a campaign's state, errors. All are read tolerantly; Malformed where the point is missing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from monitor.ingest.routee.clean_text import clean
from monitor.ingest.routee.coerce import count_of, date_of, number_of, text_of
from monitor.ingest.routee.quarantine import shown
from monitor.ingest.routee.wire import Malformed, read_json
from monitor.model.message import Unread
from monitor.model.routee_query import AccountBalance, CampaignState
from monitor.runtime.clock import Instant, parse_iso

LONGEST_MESSAGE = 200
"""The most characters of Routee's explanation that are passed on."""

_LARGEST = 2**20
"""The most bytes of such an answer that are read."""

_DEFAULT_LIFETIME = 3_600.0
_LONGEST_LIFETIME = 20 * 365 * 86_400.0
"""Seconds; an application can be set to tokens that live for about 20 years."""


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and for how many seconds it is good. The token itself shows in no repr."""

    value: str = field(repr=False)
    lifetime: float


def decode_token(body: bytes) -> Token:
    """The answer of the token endpoint. Raises Malformed, also for a token that does not fit into a header."""
    answer = _object(body, "an access token")
    value = answer.get("access_token")
    if not isinstance(value, str) or not value or not all("!" <= character <= "~" for character in value):
        raise Malformed("it has no usable access_token")
    lifetime = number_of(answer.get("expires_in"))
    usable = lifetime is not None and lifetime > 0
    return Token(value, min(lifetime, _LONGEST_LIFETIME) if usable and lifetime else _DEFAULT_LIFETIME)


def decode_balance(body: bytes) -> AccountBalance:
    """Returns the account's balance. Raises Malformed."""
    answer = _object(body, "a balance")
    amount = number_of(answer.get("balance"))
    if amount is None:
        raise Malformed("it has no number named balance")
    currency = answer.get("currency")
    code = currency.get("code") if isinstance(currency, Mapping) else currency
    return AccountBalance(amount, clean(text_of(code) or ""))


def decode_campaign_state(body: bytes, tracking_id: str) -> CampaignState:
    """Returns the state of the requested campaign. Raises Malformed."""
    answer = _object(body, "a campaign")
    state = text_of(answer.get("state"))
    if not state:
        raise Malformed("it has no state of a campaign")
    analysis = answer.get("smsAnalysis")
    given = analysis.get("numberOfRecipients") if isinstance(analysis, Mapping) else None
    recipients, statuses = _count(given), _counts(answer.get("statuses"))
    dates = {name: answer.get(name) for name in ("scheduledDate", "createdAt")}
    read = {"numberOfRecipients": (given, recipients)} | {name: (one, _instant(one)) for name, one in dates.items()}
    unread = [Unread(name, shown(one), 1) for name, (one, found) in read.items() if _is_there(one) and found is None]
    return CampaignState(
        tracking_id=tracking_id,
        name=clean(text_of(answer.get("campaignName")) or text_of(answer.get("name")) or ""),
        state=clean(state),
        statuses=statuses,
        recipients=recipients,
        scheduled_at=_instant(dates["scheduledDate"]),
        created_at=_instant(dates["createdAt"]),
        unread=(*unread, *_uncounted(answer.get("statuses"), statuses)),
    )


def decode_error(body: bytes) -> tuple[str, str]:
    """Routee's code and explanation, both empty where ``body`` has none. Never raises."""
    try:
        answer = _read(body)
    except Malformed:
        return "", ""
    if not isinstance(answer, Mapping):
        return "", ""
    said = (answer.get(name) for name in ("developerMessage", "message", "error_description", "error"))
    message = next(filter(None, map(text_of, said)), "")
    return clean(text_of(answer.get("code")) or "", 20), clean(message, LONGEST_MESSAGE)


def _object(body: bytes, what: str) -> Mapping[str, object]:
    answer = _read(body)
    if not isinstance(answer, Mapping):
        raise Malformed(f"it is not {what}")
    return answer


def _read(body: bytes) -> object:
    if len(body) > _LARGEST:
        raise Malformed(f"it is larger than {_LARGEST >> 20} MiB")
    return read_json(body)


def _counts(value: object) -> dict[str, int]:
    if not isinstance(value, Mapping):
        return {}
    counts = {clean(str(name)): _count(count) for name, count in value.items()}
    return {name: count for name, count in counts.items() if count is not None}


def _count(value: object) -> int | None:
    count = count_of(value)
    return count if count is not None and count >= 0 else None


def _uncounted(value: object, counts: Mapping[str, int]) -> Iterator[Unread]:
    """The numbers of a campaign's messages by status that are none."""
    if not isinstance(value, Mapping):
        if _is_there(value):
            yield Unread("statuses", shown(value), 1)
        return
    lost = {name: one for name, one in value.items() if _is_there(one) and clean(str(name)) not in counts}
    if lost:
        yield Unread("statuses", shown(lost), len(lost))


def _is_there(value: object) -> bool:
    return value is not None and value != ""


def _instant(value: object) -> Instant | None:
    try:
        return parse_iso(date_of(value) or "")
    except (ValueError, OverflowError):
        return None
