"""Decodes Routee's small answers: token, balance, a campaign's state, errors. Tolerates odd types; raises Malformed if the essential value
is missing."""

from collections.abc import Iterator, Mapping
from dataclasses import field

from monitor.ingest.routee.clean_text import LONGEST, clean
from monitor.ingest.routee.coerce import count_of, date_of, number_of, text_of
from monitor.ingest.routee.quarantine import shown
from monitor.ingest.routee.tolerant import UnreadableRecord
from monitor.ingest.routee.wire import Malformed, read_json
from monitor.model.message import Unread
from monitor.model.routee_query import AccountBalance, CampaignState
from monitor.runtime.clock import Instant, parse_iso
from monitor.runtime.dataclass import dataclass

LONGEST_MESSAGE = 200
"""The most characters of Routee's error message that are shown."""

_LARGEST = 2**20
"""The most bytes of such an answer; a larger one is malformed."""

_DEFAULT_LIFETIME = 3_600.0
"""Seconds; used if an answer has no usable ``expires_in``."""
_LONGEST_LIFETIME = 20 * 365 * 86_400.0
"""Seconds; an application can have tokens that live for about 20 years."""


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and its lifetime in seconds. The token is hidden in ``repr``."""

    value: str = field(repr=False)
    lifetime: float


def decode_token(body: bytes) -> Token:
    """Returns the token of the token endpoint's answer. Raises Malformed, also for a token that cannot be sent in a header."""
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


def pushed_campaign_state(record: Mapping[str, object]) -> CampaignState:
    """Returns the state of a campaign that Routee pushed. Raises UnreadableRecord."""
    tracking_id, state = text_of(record.get("trackingId")), text_of(record.get("campaignStatus"))
    if not tracking_id or len(tracking_id) > LONGEST:
        raise UnreadableRecord("it is a campaign's state without a usable trackingId")
    if not state:
        raise UnreadableRecord("it is a campaign's state without campaignStatus")
    given, counts = record.get("totalRecipients"), record.get("messageStatuses")
    recipients, statuses = _count(given), _counts(counts)
    unread = [Unread("totalRecipients", shown(given), 1)] if _is_there(given) and recipients is None else []
    return CampaignState(
        tracking_id=clean(tracking_id),
        name=clean(text_of(record.get("name")) or ""),
        state=clean(state),
        statuses=statuses,
        recipients=recipients,
        unread=(*unread, *_uncounted(counts, statuses)),
    )


def decode_error(body: bytes) -> tuple[str, str]:
    """Returns Routee's error code and message; each is empty if ``body`` has none. Never raises."""
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
    """Yields what could not be read of a campaign's counts by status."""
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
