"""Computes for each profile whether its messages fit a condition, and which group they are in.

Results are kept from poll to poll. Only profiles that are new since then are looked at.
"""

from collections.abc import Callable, Sequence, Set
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.config.rules.match import Condition
from monitor.model.message import FINAL, GROUPS_SEPARATOR, UNKNOWN
from monitor.window.columns import Columns
from monitor.window.dictionary import Dictionary, Sets
from monitor.window.profiles import SEARCHES

Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]
Group = tuple[str, ...]


class Groups:
    """The groups by the fields ``by``, numbered from 0 in the order in which they were first seen."""

    def __init__(self, by: Group) -> None:
        self.by = by
        self.of: Codes = np.zeros(0, np.int64)
        """The group of each profile."""
        self._codes: list[tuple[int, ...]] = [] if by else [()]  # without fields there is always one group
        self._numbers = {codes: number for number, codes in enumerate(self._codes)}

    def __len__(self) -> int:
        return len(self._codes)

    def codes(self, group: int) -> tuple[int, ...]:
        """Returns the codes of the group's values."""
        return self._codes[group]

    def number(self, codes: tuple[int, ...]) -> int | None:
        """Returns the number of the group with these codes; None if there is none."""
        return self._numbers.get(codes)

    def extend(self, count: int, digits: Sequence[NDArray[Any]]) -> None:
        """Adds ``count`` further profiles; ``digits`` has an array of codes for each of the fields."""
        codes = zip(*(codes.tolist() for codes in digits), strict=True) if digits else [()] * count
        self.of = np.concatenate([self.of, np.fromiter(map(self._number, codes), np.int64, count)])

    def _number(self, codes: tuple[int, ...]) -> int:
        number = self._numbers.setdefault(codes, len(self._codes))
        if number == len(self._codes):
            self._codes.append(codes)
        return number


class Facets:
    """The results for one account's profiles. After profiles were renumbered, a new object is needed.

    ``kept`` returns what is stored of a sender's number, as `RecipientMask.sender` does.
    """

    def __init__(
        self,
        account: str,
        columns: Columns,
        dictionaries: dict[str, Dictionary],
        searches: Sets,
        kept: Callable[[str], str],
    ) -> None:
        self.profiles = columns.profiles
        self._account = account
        self._dictionaries = dictionaries
        self._searches = searches
        self._kept = kept
        self._fits: dict[object, Mask] = {}
        self._lookups: dict[object, Mask] = {}
        self._groups: dict[Group, Groups] = {}

    def fits(self, condition: Condition) -> Mask:
        """Returns which profiles meet a condition on any field but ``to``."""
        if condition.field == "account":
            return np.full(self.profiles.length, condition.matches({"account": self._account}))
        widened = self._with_people(condition)
        return self._by_text(condition.field, condition, lambda text: widened.matches({condition.field: text}))

    def _with_people(self, condition: Condition) -> Condition:
        """Returns the condition with the stored forms of its values added. Of inbound messages the sender's number is only stored masked."""
        if condition.field != "from" or condition.operator not in ("is", "is_not"):
            return condition
        return replace(condition, values=(*condition.values, *map(self._kept, condition.values)))

    def final(self) -> Mask:
        """Returns which profiles have a final status."""
        return self._by_text("status", "final", FINAL.__contains__)

    def known(self) -> Mask:
        """Returns which profiles have a known status. Messages that have left every search have none."""
        return self._by_text("status", "known", UNKNOWN.__ne__)

    def reported(self, searches: Set[str] | None) -> Mask:
        """Returns which profiles have messages whose date is that of a report. Messages that have left all ``searches`` (None: all searches)
        have another date."""

        def has_it(text: str) -> bool:
            names = set(text.split(Sets.SEPARATOR))
            present = {name for name in names if not name.startswith(Sets.LEFT)}
            return present == names or bool(present if searches is None else present & searches)

        what = "reported", None if searches is None else frozenset(searches)
        return np.asarray(self.known() | self._by_text(SEARCHES, what, has_it))

    def returned_by(self, search: str) -> Mask:
        """Returns which profiles have messages that the search has."""
        return self._by_text(SEARCHES, ("search", search), lambda names: search in names.split(Sets.SEPARATOR))

    def texts_that_fit(self, name: str, what: object, fits: Callable[[str], bool]) -> Mask:
        """Returns which texts of a dictionary fit. ``what`` identifies ``fits`` in the cache."""
        known, texts = self._lookups.get(what, np.zeros(0, np.bool_)), self._dictionaries[name].texts
        if len(known) < len(texts):
            fresh = np.array([fits(text) for text in texts[len(known) :]], np.bool_)
            known = self._lookups[what] = np.concatenate([known, fresh])
        return known

    def _by_text(self, name: str, what: object, fits: Callable[[str], bool]) -> Mask:
        known, count = self._fits.get(what, np.zeros(0, np.bool_)), self.profiles.length
        if len(known) < count:
            fresh = self.texts_that_fit(name, what, fits)[self.profiles[name][len(known) : count]]
            known = self._fits[what] = np.concatenate([known, fresh])
        return known

    def groups(self, by: Group) -> Groups:
        """Returns the groups by any fields but ``to``."""
        groups, count = self._groups.get(by), self.profiles.length
        if groups is None:
            groups = self._groups[by] = Groups(by)
        if len(groups.of) < count:
            fresh = slice(len(groups.of), count)
            groups.extend(count - len(groups.of), [self.digits(name)[fresh] for name in by])
        return groups

    def digits(self, name: str) -> NDArray[Any]:
        """Returns the code of a field's value for each profile."""
        length = self.profiles.length
        return np.zeros(length, np.uint8) if name == "account" else self.profiles[name][:length]

    def text(self, name: str, code: int) -> str:
        """Returns the value of a code, as shown to people."""
        if name == "account":
            return self._account
        text = self._dictionaries[name].texts[code]
        return text.replace(GROUPS_SEPARATOR, ", ") if name == "groups" else text

    def code(self, name: str, text: str) -> int | None:
        """Returns the code of a value as it is shown to people; None if no message has it."""
        if name == "account":
            return 0 if text == self._account else None
        return self._dictionaries[name].code(text.replace(", ", GROUPS_SEPARATOR) if name == "groups" else text)
