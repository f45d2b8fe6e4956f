"""Formats numbers and lists in sentences: amounts of money, counts with their nouns, and names of which only the first are said."""

from collections.abc import Sequence

from monitor.model.format import duration, number, percent

__all__ = ["duration", "first_of", "money", "number", "percent", "plural"]


def money(amount: float) -> str:
    """Returns an amount with two decimals, ``103.50``, without the currency."""
    return number(amount, 2)


def plural(count: int, noun: str) -> str:
    """Returns ``1 message`` or ``1,204 messages``."""
    return f"{number(count)} {noun}" + ("" if count == 1 else "s")


def first_of(names: Sequence[str], most: int) -> str:
    """Returns ``a, b, c``, and of more than ``most`` the first ones: ``a, b and 3 more``."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
