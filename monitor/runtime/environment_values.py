"""Remembers the value of each ``${NAME}`` from the environment, so that texts show the name instead of the value, which may be a secret.

The memory is one for the whole process: a secret that was written in the wrong place appears in errors, warnings and tables whose code
does not know that it came from the environment.
"""

import os
import re
from typing import Final

SHORTEST: Final = 6
"""The least characters of a value that is replaced. A shorter value is a number or a common word, and no secret."""

_names: dict[str, str] = {}


def remember(name: str, value: str) -> None:
    """Notes that ``value`` came from the variable ``name``. Ignores short values and paths that exist, which are no secrets."""
    if len(value) >= SHORTEST and not os.path.exists(value):  # noqa: PTH110 - whatever it is, this raises nothing
        _names[value] = name


def named(text: str) -> str:
    """Returns ``text`` with ``${NAME}`` in place of each remembered value, the longest values first and ignoring case."""
    lower = text.lower()
    written = {form: name for value, name in _names.items() for form in (value, repr(value)[1:-1])}
    found = sorted((form for form in written if form.lower() in lower), key=len, reverse=True)
    if not found:
        return text
    # All at once: a name that was put in may look like another variable's value.
    pattern = "|".join(f"({re.escape(form)})" for form in found)
    shown = [f"${{{written[form]}}}" for form in found]
    return re.sub(pattern, lambda match: shown[(match.lastindex or 1) - 1], text, flags=re.IGNORECASE)


def beginning(text: str, longest: int) -> str:
    """Returns the first ``longest`` characters of ``text``, quoted. Replaces values first: a cut value would not be recognised."""
    return repr(named(text)[:longest])
