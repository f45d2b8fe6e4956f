"""Makes records that differ from the documentation, as real answers do: each bit of `Rows.odd` is one kind of difference."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Record = dict[str, Any]

COUNTRY_NAMES: Final = {
    "GR": "Greece",
    "CY": "Cyprus",
    "DE": "Germany",
    "GB": "United Kingdom",
    "IT": "Italy",
    "RO": "Romania",
    "IQ": "Iraq",
    "IN": "India",
    "BG": "Bulgaria",
}
_LACKABLE = ("operator", "label", "groups", "latency", "price", "from", "direction", "applicationName", "body")


def _without(name: str) -> Callable[[Record], None]:
    def drop(record: Record) -> None:
        record.pop(name, None)

    return drop


def _null(name: str) -> Callable[[Record], None]:
    def blank(record: Record) -> None:
        record[name] = None

    return blank


def _country_name(record: Record) -> None:
    record["country"] = COUNTRY_NAMES.get(record.get("country", ""), record.get("country"))


def _campaign_key(record: Record) -> None:
    if "campaignName" in record:
        record["campaign"] = record.pop("campaignName")


def _no_campaign_name(record: Record) -> None:
    if "campaignName" in record:
        record["campaignName"] = None


def _no_reason(record: Record) -> None:
    record["status"].pop("reason", None)


def _offset(record: Record) -> None:
    status = record["status"]
    status["date"] = status["date"].replace("Z", "+0000")


def _no_plus(record: Record) -> None:
    record["to"] = record["to"].removeprefix("+")


def _numbers_as_text(record: Record) -> None:
    for name in ("price", "latency", "parts", "part"):
        if name in record:
            record[name] = str(record[name])


def _milliseconds(record: Record) -> None:
    """Does nothing: the row's own instants have milliseconds (see `traffic.Model`), so its dates show them."""


_WAYS: tuple[Callable[[Record], None], ...] = (
    _milliseconds,
    _country_name,
    _campaign_key,
    _no_campaign_name,
    _no_reason,
    _offset,
    _no_plus,
    _numbers_as_text,
    _without("smsId"),
    *(_without(name) for name in _LACKABLE),
    *(_null(name) for name in _LACKABLE),
)
MILLISECONDS: Final = 1
_LACKING = {
    name: (1 << 9 + position) | (1 << 9 + len(_LACKABLE) + position)
    for position, name in enumerate(_LACKABLE)
    if name in ("label", "direction")
}
LACKS: Final = _LACKING | {"campaign": 1 << 3, "smsId": 1 << 8}
"""By field, the bits for which a record lacks it, also in searches."""


def choose(rng: np.random.Generator, count: int, share: float) -> NDArray[np.int32]:
    """Returns bits for ``count`` rows: none for most rows, one for about ``share`` of them."""
    ways = rng.integers(0, len(_WAYS), count)
    bits = np.left_shift(np.int64(1), ways).astype(np.int32)
    return np.where(rng.random(count) < share, bits, np.int32(0))


def distort(record: Record, bits: int) -> Record:
    """Returns the record, changed in place in each way that ``bits`` say."""
    for position, way in enumerate(_WAYS):
        if bits >> position & 1:
            way(record)
    return record
