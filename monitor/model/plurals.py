"""Formats numbers in sentences: amounts of money, and counts with their nouns."""

from monitor.model.format import duration, number, percent

__all__ = ["duration", "money", "number", "percent", "plural"]


def money(amount: float) -> str:
    """Returns an amount with two decimals, ``103.50``, without the currency."""
    return number(amount, 2)


def plural(count: int, noun: str) -> str:
    """Returns ``1 message`` or ``1,204 messages``."""
    return f"{number(count)} {noun}" + ("" if count == 1 else "s")
