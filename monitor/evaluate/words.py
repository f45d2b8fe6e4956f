"""Numbers in sentences."""

from monitor.render.filters import number, percent

__all__ = ["number", "percent", "plural"]


def plural(count: int, noun: str) -> str:
    """``1 message``, ``1,204 messages``."""
    return f"{number(count)} {noun}" + ("" if count == 1 else "s")
