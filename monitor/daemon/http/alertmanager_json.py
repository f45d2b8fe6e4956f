"""The JSON of Alertmanager's API v2: writes alerts, groups and silences, and reads silences."""

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from monitor.config.monitor.interval import Interval, written
from monitor.config.yaml import notes_of
from monitor.daemon.http.requested_matchers import compile_matchers
from monitor.dispatch.status import AlertStatus, GroupStatus, SilenceStatus
from monitor.model.label_fingerprint import label_fingerprint
from monitor.notify.render.alertmanager_payload import shown, shown_status
from monitor.routing.matcher_syntax import Operator, Written
from monitor.routing.matchers import Matcher
from monitor.routing.silences import Silence, new_silence
from monitor.routing.time_intervals import TimeInterval
from monitor.runtime.clock import Instant, iso, parse_iso
from monitor.runtime.dataclass import dataclass

_OPERATORS: Final[Mapping[tuple[bool, bool], Operator]] = {
    (False, True): "=",
    (False, False): "!=",
    (True, True): "=~",
    (True, False): "!~",
}
"""By whether the value is a regular expression, and whether it must match."""
_MOST_TEXT: Final = 1_000


def alert(one: AlertStatus, external_url: str, inhibiting: Mapping[str, str], now: Instant) -> dict[str, Any]:
    """Returns an alert; ``inhibiting`` maps our fingerprints to those of labels, which Alertmanager uses.

    ``ownFingerprint`` is ours, and so are ``acknowledgedBy``, ``acknowledgedComment``, ``report``, ``incident`` and ``firesOnUntil``, which are
    present only where they apply. The last is for an alert that fires on for ``keep_firing_for`` although its threshold is no longer crossed.
    """
    view = one.view
    ours: dict[str, Any] = {"ownFingerprint": view.fingerprint}
    if one.ack is not None:
        ours |= {"acknowledgedBy": one.ack.by, "acknowledgedComment": one.ack.comment}
    ours |= {} if one.fires_on_until is None else {"firesOnUntil": iso(one.fires_on_until)}
    ours |= {"report": True} if view.is_report else {}
    ours |= {"incident": one.incident} if one.incident else {}
    inhibited_by = (inhibiting.get(source, source) for source in one.inhibited_by)
    status = shown_status(state(one), one.silenced_by, inhibited_by, one.muted_by)
    return shown(view, status, one.receivers, now, external_url) | ours


def state(one: AlertStatus) -> str:
    """Returns Alertmanager's state; ``unprocessed`` means that nobody has been notified yet."""
    if one.state == "pending":
        return "unprocessed"
    return "suppressed" if one.is_suppressed else "active"


def label_fingerprints(alerts: Iterable[AlertStatus]) -> dict[str, str]:
    """Returns the fingerprint of each alert's labels by the alert's own fingerprint."""
    return {one.view.fingerprint: label_fingerprint(one.view.labels) for one in alerts}


def group(together: GroupStatus, alerts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Returns a group with those of its alerts that are requested."""
    return {"labels": together.labels, "receiver": {"name": together.receiver}, "alerts": list(alerts)}


def silence(status: SilenceStatus) -> dict[str, Any]:
    """Returns a silence.

    Ours are ``silencing`` (how many firing alerts it matches), ``silencesNow``, ``endsSoon`` and, if it recurs, ``during``.
    """
    one = status.silence
    ours = {"silencing": status.matching, "silencesNow": status.is_silencing, "endsSoon": status.ends_soon}
    recurs = {} if one.during is None else {"during": written(one.during)}
    return {
        "id": one.id,
        "status": {"state": status.state},
        "matchers": [show_matcher(matcher) for matcher in one.matchers],
        "startsAt": iso(one.starts_at),
        "endsAt": iso(one.ends_at),
        "updatedAt": iso(one.updated_at),
        "createdBy": one.created_by,
        "comment": one.comment,
        **recurs,
        **ours,
    }


def show_matcher(matcher: Matcher) -> dict[str, Any]:
    """Returns a matcher."""
    return {
        "name": matcher.name,
        "value": matcher.value,
        "isRegex": matcher.op in ("=~", "!~"),
        "isEqual": matcher.op in ("=", "=~"),
    }


def new_id() -> str:
    """Returns a new id for a silence."""
    return str(uuid.uuid4())


@dataclass(frozen=True, slots=True)
class AskedSilence:
    """The silence in a request's body, always with a new id. ``before`` is the id of the one that it replaces; empty: none.

    ``seen`` is the ``updatedAt`` in the body, which is ours: with it, a silence that has been changed meanwhile is not replaced.
    """

    silence: Silence
    before: str
    seen: Instant | None


async def read_silence(body: bytes, now: Instant) -> AskedSilence:
    """Returns what a request's body asks for. Raises ValueError if the body is invalid."""
    data = read_object(body)
    matchers = data.get("matchers")
    if not isinstance(matchers, list):
        raise ValueError("matchers: should be a list of {name, value, isRegex, isEqual}")
    silence = new_silence(
        await compile_matchers([written_matcher(one) for one in matchers]),
        starts_at=_instant(data, "startsAt"),
        ends_at=_instant(data, "endsAt"),
        created_by=text_of(data, "createdBy"),
        comment=text_of(data, "comment"),
        now=now,
        id=new_id(),
        during=None if data.get("during") is None else read_during(data["during"]),
    )
    return AskedSilence(silence, text_of(data, "id"), _instant(data, "updatedAt") if data.get("updatedAt") else None)


def read_during(data: object) -> TimeInterval:
    """Returns the times at which a recurring silence is active, in Alertmanager's syntax for time intervals; Alertmanager has no such silences.

    The syntax is ``{"weekdays": ["saturday"], "times": [...]}``. Raises ValueError with everything that is wrong.
    """
    try:
        interval = Interval.model_validate(data).interval
    except ValidationError as error:
        where = (".".join(map(str, ("during", *note.path))) + f": {note.message}" for note in notes_of(error, data))
        raise ValueError("; ".join(where)) from None
    if interval == TimeInterval(location=interval.location):
        raise ValueError("during: has no times; leave it out for a silence without breaks")
    return interval


def read_object(body: bytes) -> dict[str, Any]:
    """Returns the JSON object in a body. Raises ValueError."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the body is not JSON: {error}") from None
    if not isinstance(data, dict):
        raise ValueError("the body should be a JSON object")
    return data


def text_of(data: Mapping[str, Any], key: str) -> str:
    """Returns a text of an object, empty if it is missing. Raises ValueError."""
    text = data.get(key)
    if text is not None and not isinstance(text, str):
        raise ValueError(f"{key}: should be text")
    if len(text or "") > _MOST_TEXT:
        raise ValueError(f"{key}: is longer than {_MOST_TEXT} characters")
    return text or ""


def _instant(data: Mapping[str, Any], key: str) -> Instant:
    text = text_of(data, key)
    try:
        return parse_iso(text)
    except (ValueError, OverflowError):
        raise ValueError(f"{key}: {text[:40]!r} is not a time; write it like 2026-11-21T17:07:04Z") from None


def written_matcher(data: object) -> Written:
    """Returns the uncompiled matcher that `show_matcher` shows as ``data``. Raises ValueError."""
    if not isinstance(data, dict):
        raise ValueError("matchers: each should be {name, value, isRegex, isEqual}")
    is_regex, is_equal = data.get("isRegex") or False, data.get("isEqual", True)
    if not isinstance(is_regex, bool) or not isinstance(is_equal, bool):
        raise ValueError("matchers: isRegex and isEqual are true or false")
    return text_of(data, "name"), _OPERATORS[is_regex, is_equal], text_of(data, "value")


def read_matcher(data: object) -> Matcher:
    """Returns the matcher that `show_matcher` shows as ``data``. Raises ValueError."""
    return Matcher(*written_matcher(data))


def in_order(silences: Iterable[SilenceStatus]) -> list[SilenceStatus]:
    """Returns the silences in Alertmanager's order.

    Active ones come first, the earliest end first; then pending ones, the earliest start first; then expired ones, the latest end first.
    """
    rank = {"active": 0, "pending": 1, "expired": 2}

    def order(one: SilenceStatus) -> tuple[int, Instant, str]:
        kept = one.silence
        when = {"active": kept.ends_at, "pending": kept.starts_at, "expired": -kept.ends_at}[one.state]
        return rank[one.state], when, kept.id

    return sorted(silences, key=order)
