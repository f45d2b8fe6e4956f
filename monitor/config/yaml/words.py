"""Suggests the nearest known word for a wrong one."""

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The word of ``known`` that is most like ``word``, letter case aside; None where none is near."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    found = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=cutoff)
    return by_lower[found[0]] if found else None


def near_miss(word: str, known: Iterable[str]) -> str | None:
    """The word that was surely meant: another letter case or a slip of the finger; None also where ``word`` itself is known."""
    choices = list(known)
    return None if word in choices else nearest(word, choices, cutoff=0.8)


def suggest(word: str, known: Iterable[str]) -> str:
    """The end of an error's sentence: ``; did you mean 'window'?``, else the words that there are, if they are few."""
    choices = list(known)
    if not choices:
        return ""
    if found := nearest(word, choices):
        return f"; did you mean {found!r}?"
    return f"; possible: {', '.join(choices)}" if len(choices) <= 12 else ""
