"""Numbers in sentences."""

from monitor.model.format import duration, number, percent

__all__ = ["duration", "money", "number", "percent", "plural"]


def money(amount: float) -> str:
    """``103.50``; the currency is the account's and not known here."""
    return number(amount, 2)


def plural(count: int, noun: str) -> str:
    """``1 message``, ``1,204 messages``."""
    return f"{number(count)} {noun}" + ("" if count == 1 else "s")
