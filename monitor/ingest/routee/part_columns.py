"""The fields of decoded parts as columns, which are worked on as a whole instead of part by part."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.ingest.routee.clean_text import LONGEST, clean, known
from monitor.ingest.routee.tolerant import SmsPart, problem_text
from monitor.model.batch import Combinations
from monitor.model.message import CODED_FIELDS, GROUPS_SEPARATOR, UNKNOWN
from monitor.model.numbering import Numbering

_LONGEST_GROUPS = 4 * LONGEST

Texts = Sequence[str | None]


class PartColumns:
    """The columns of ``parts``, in their order. A missing value is None; ``missing`` stands for that of a coded field."""

    missing: Any = None

    def __init__(self, parts: Sequence[SmsPart]) -> None:
        self.parts = parts

    def __len__(self) -> int:
        return len(self.parts)

    # Each is a list comprehension of its own, because Python reads an attribute that is written out twice as fast as one by its name.

    @cached_property
    def ids(self) -> Texts:
        """The ids of the messages; a part without one is known by its smsId."""
        ids = [part.messageId for part in self.parts]
        return ids if all(ids) else [part.messageId or part.smsId for part in self.parts]

    @cached_property
    def statuses(self) -> Texts:
        """The statuses, under either of their names."""
        statuses = [part.status.status for part in self.parts]
        return statuses if all(statuses) else [part.status.status or part.status.name for part in self.parts]

    def dates(self) -> Sequence[str]:
        """Returns the dates of the statuses as written, as `SmsPart.date` does."""
        dates = [date for part in self.parts if (date := part.status.date)]
        return dates if len(dates) == len(self.parts) else [part.date for part in self.parts]

    def have_problems(self) -> bool:
        """Returns whether any part is invalid by `problem_text`."""
        if all(self.ids) and all(self.statuses) and self.small_numbers is not None:  # the usual form
            return False
        return any(map(problem_text, self.parts))

    @cached_property
    def numbers(self) -> Sequence[int | None]:
        """Which part of its message each one is."""
        return [part.part for part in self.parts]

    @cached_property
    def small_numbers(self) -> NDArray[np.int64] | None:
        """The numbers; None if any of them is missing or not from 0 to 255."""
        return small(self.numbers)

    def counts(self) -> Sequence[int | None]:
        """Returns of how many parts each message is."""
        return [part.parts for part in self.parts]

    def latencies(self) -> Sequence[float | None]:
        """Returns the latencies in seconds."""
        return [part.latency for part in self.parts]

    def prices(self) -> Sequence[float | None]:
        """Returns the prices."""
        return [part.price for part in self.parts]

    def recipients(self) -> Texts:
        """Returns the recipients' numbers."""
        return [part.to for part in self.parts]

    def coded_texts(self) -> Sequence[Texts]:
        """Returns the columns of CODED_FIELDS but the groups, in their order."""
        parts = self.parts
        campaigns = [part.campaignName for part in parts]
        return (
            self.statuses,
            [reason.detailedStatus if (reason := part.status.reason) else self.missing for part in parts],
            [part.operator for part in parts],
            [part.country for part in parts],
            campaigns if all(campaigns) else [part.campaignName or part.campaign or self.missing for part in parts],
            [part.campaignTrackingId for part in parts],
            [part.label for part in parts],
            [part.from_ for part in parts],
            [part.direction for part in parts],
            [part.applicationName for part in parts],
            [part.originatingService for part in parts],
        )

    def groups(self) -> Sequence[tuple[str, ...]]:
        """Returns the names of the groups."""
        return [tuple(names) if (names := part.groups) else () for part in self.parts]

    def combinations(self) -> Combinations:
        """Returns the coded fields. Parts with the same values are cleaned together, once."""
        numbers = Numbering[tuple[Any, ...]]()
        rows = zip(*self.coded_texts(), self.groups(), strict=True)
        of = np.fromiter(map(numbers.__getitem__, rows), np.int64, len(self))
        *texts, groups = zip(*numbers.values_in_order, strict=True) if len(self) else ((),) * len(CODED_FIELDS)
        values = [*map(known, texts), [joined(names) for names in groups]]
        return Combinations(dict(zip(CODED_FIELDS, values, strict=True)), of)


def small(numbers: Sequence[int | None]) -> NDArray[np.int64] | None:
    """Returns the numbers; None if any of them is missing or not from 0 to 255."""
    try:
        return np.frombuffer(bytes(numbers), np.uint8).astype(np.int64)  # type: ignore[arg-type]  # None among them is a TypeError, as is meant
    except (TypeError, ValueError):
        return None


def joined(names: Sequence[str]) -> str:
    """Returns the groups joined to one text. Leaves out groups beyond its longest length as a whole."""
    text = ""
    for name in filter(None, names):
        longer = f"{text}{GROUPS_SEPARATOR}{clean(name)}" if text else clean(name)
        if len(longer) > _LONGEST_GROUPS:
            break
        text = longer
    return text or UNKNOWN
