"""Numbers values in the order in which they first occur."""

from collections.abc import Hashable
from typing import TypeVar

Value = TypeVar("Value", bound=Hashable)


class Numbering(dict[Value, int]):
    """The number of each value, from 0. Looking up a new value gives it the next number."""

    def __init__(self) -> None:
        self.values_in_order: list[Value] = []

    def __missing__(self, value: Value) -> int:
        self[value] = number = len(self)
        self.values_in_order.append(value)
        return number
