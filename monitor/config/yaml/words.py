"""Suggests the nearest known word for a wrong one."""

import difflib
from collections.abc import Iterable
from functools import lru_cache


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Returns the word of ``known`` that is most similar to ``word``, ignoring case; None if none is similar."""
    return _nearest(word.lower(), tuple(known), cutoff)


@lru_cache(maxsize=256)  # a mistake that stands in one rule stands in many
def _nearest(lower: str, known: tuple[str, ...], cutoff: float) -> str | None:
    by_lower = {candidate.lower(): candidate for candidate in known}
    found = difflib.get_close_matches(lower, by_lower, n=1, cutoff=cutoff)
    return by_lower[found[0]] if found else None


def near_miss(word: str, known: Iterable[str]) -> str | None:
    """Returns the word that was surely meant, with another case or a typo; None if there is none, or if ``word`` itself is known."""
    choices = list(known)
    return None if word in choices else nearest(word, choices, cutoff=0.8)


def suggest(word: str, known: Iterable[str]) -> str:
    """Returns the end of an error message: ``; did you mean 'window'?``, or all known words if they are few."""
    choices = list(known)
    if not choices:
        return ""
    if found := nearest(word, choices):
        return f"; did you mean {found!r}?"
    return f"; possible: {', '.join(choices)}" if len(choices) <= 12 else ""
