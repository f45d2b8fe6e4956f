"""The fields of decoded parts as columns, which are worked on as a whole instead of part by part."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from msgspec.structs import astuple

from monitor.ingest.routee.tolerant import SmsPart, Status, problem_text

Texts = Sequence[str | None]


class PartColumns:
    """The fields of ``parts`` by their names in `SmsPart`, and by those in `Status` for the status reports. A missing value is None."""

    def __init__(self, parts: Sequence[SmsPart]) -> None:
        self.parts = parts
        self._own = _columns(parts, SmsPart)
        self._status = _columns(self._own["status"], Status)

    def __getitem__(self, name: str) -> Sequence[Any]:
        return self._own[name]

    def __len__(self) -> int:
        return len(self.parts)

    @cached_property
    def ids(self) -> Texts:
        """The ids of the messages; a part without one is known by its smsId."""
        return _first_given(self._own["messageId"], self._own["smsId"])

    @cached_property
    def statuses(self) -> Texts:
        """The statuses, under either of their names."""
        return _first_given(self._status["status"], self._status["name"])

    @property
    def detailed_statuses(self) -> Texts:
        """The reasons of the statuses."""
        return [None if reason is None else reason.detailedStatus for reason in self._status["reason"]]

    @property
    def campaigns(self) -> Texts:
        """The names of the campaigns, under either of their names."""
        return _first_given(self._own["campaignName"], self._own["campaign"])

    def dates(self) -> Sequence[str]:
        """Returns the dates of the statuses as written, as `SmsPart.date` does."""
        dates = self._status["date"]
        return dates if all(dates) else [part.date for part in self.parts]

    def have_problems(self) -> bool:
        """Returns whether any part is invalid by `problem_text`."""
        if all(self.ids) and all(self.statuses) and all(self._own["smsId"]):
            return False
        return any(map(problem_text, self.parts))


def _columns(records: Sequence[Any], kind: Any) -> dict[str, Sequence[Any]]:
    names = kind.__struct_fields__
    columns: Any = zip(*map(astuple, records), strict=True) if records else ((),) * len(names)
    return dict(zip(names, columns, strict=True))


def _first_given(values: Texts, others: Texts) -> Texts:
    """Returns the values, with the other one in place of each that is missing or empty."""
    return values if all(values) else [value or other for value, other in zip(values, others, strict=True)]
