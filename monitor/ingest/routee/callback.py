"""Decodes what Routee pushes: reports of single parts, and states of campaigns.

A callback has one report or a list of them. A report has the fields of a record of a search, three of them renamed: ``status.name``,
``status.updatedDate`` and ``message``; `monitor.ingest.routee.tolerant` knows both names. A record that cannot be read is set aside, and the
others of its list are used.
"""

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from monitor.ingest.routee.answers import pushed_campaign_state
from monitor.ingest.routee.batch import batch_of_parts
from monitor.ingest.routee.dates import instants
from monitor.ingest.routee.part_columns import PartColumns
from monitor.ingest.routee.quarantine import rejected_record
from monitor.ingest.routee.tolerant import SmsPart, UnreadableRecord, problem_text, read_part
from monitor.ingest.routee.wire import AHEAD, Malformed, doubt_text, is_believed, read_json
from monitor.model.batch import Batch
from monitor.model.routee_query import CampaignState, RejectedRecord
from monitor.runtime.clock import Instant
from monitor.runtime.dataclass import dataclass

MOST_RECORDS: Final = 1_000
"""The most records of one callback."""

_ONE = msgspec.json.Decoder(SmsPart, strict=False)
_SEVERAL = msgspec.json.Decoder(list[SmsPart], strict=False)
_UNDECODABLE = (ValueError, RecursionError)


class TooManyRecords(Malformed):
    """A callback has more than `MOST_RECORDS` records."""


@dataclass(slots=True)
class Callback:
    """What one request has pushed. ``sources`` are the parsed records of the parts, where they are not as documented (None: they are)."""

    parts: list[SmsPart] = field(default_factory=list)
    sources: list[object] = field(default_factory=list)
    campaigns: list[CampaignState] = field(default_factory=list)
    rejected: list[RejectedRecord] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.parts) + len(self.campaigns) + len(self.rejected)

    @property
    def is_useless(self) -> bool:
        """Whether it has no record that can be used."""
        return not self.parts and not self.campaigns


def decode_callback(body: bytes) -> Callback:
    """Returns what was pushed. Dates are not read yet, see `batch_of_callbacks`. Raises Malformed."""
    parts = _documented(body)
    if parts is not None:
        _check_count(parts)
        if not any(map(problem_text, parts)):
            return Callback(parts, [None] * len(parts))
    found = read_json(body)
    records = found if isinstance(found, list) else [found]
    _check_count(records)
    if not isinstance(found, list | Mapping):
        raise Malformed("it is neither an object nor a list of objects")
    callback = Callback()
    for record in records:
        _read(record, callback)
    return callback


def _documented(body: bytes) -> list[SmsPart] | None:
    """Returns the parts of a body in which everything is as documented; None for any other."""
    try:
        return _SEVERAL.decode(body) if body[:1] == b"[" else [_ONE.decode(body)]
    except _UNDECODABLE:
        return None


def _check_count(records: Sequence[object]) -> None:
    if not records:
        raise Malformed("it has no record")
    if len(records) > MOST_RECORDS:
        raise TooManyRecords(f"it has more than {MOST_RECORDS} records; send them in several requests")


def _read(record: object, callback: Callback) -> None:
    try:
        if isinstance(record, Mapping) and "status" not in record and "campaignStatus" in record:
            callback.campaigns.append(pushed_campaign_state(record))
            return
        part = read_part(record)
        if why := problem_text(part):
            raise UnreadableRecord(why)
    except UnreadableRecord as error:
        callback.rejected.append(rejected_record(str(error), record))
    else:
        callback.parts.append(part)
        callback.sources.append(record)


def batch_of_callbacks(callbacks: Sequence[Callback], now: Instant) -> Batch:
    """Returns the reports of all callbacks as one batch. A part whose date cannot be believed is moved to its callback's ``rejected``."""
    dates = instants([part.date for one in callbacks for part in one.parts])
    good = is_believed(dates, now + AHEAD)
    if not good.all():
        _reject(callbacks, dates, good, now)
        dates = dates[good]
    parts = [part for one in callbacks for part in one.parts]
    sources = [source for one in callbacks for source in one.sources]
    return batch_of_parts(PartColumns(parts), dates, sources.__getitem__)


def _reject(callbacks: Sequence[Callback], dates: NDArray[np.int64], good: NDArray[np.bool_], now: Instant) -> None:
    begin = 0
    for one in callbacks:
        end = begin + len(one.parts)
        for at in np.flatnonzero(~good[begin:end]).tolist():
            why = doubt_text(one.parts[at], int(dates[begin + at]), now + AHEAD)
            one.rejected.append(rejected_record(why, one.sources[at] or msgspec.to_builtins(one.parts[at])))
        kept = np.flatnonzero(good[begin:end]).tolist()
        one.parts, one.sources = [one.parts[at] for at in kept], [one.sources[at] for at in kept]
        begin = end
