"""What the environment gave for each ``${NAME}``, so that people are shown the name and never the value, which may be a secret.

One memory for the whole process, as the environment is one: a secret that stands in a wrong place turns up in errors, warnings and tables
that know nothing of where it came from.
"""

import os
import re
from typing import Final

SHORTEST: Final = 6
"""Characters of a value that is looked for. A shorter one is a number or a word that stands in many texts for other reasons, and no secret."""

_names: dict[str, str] = {}


def remember(name: str, value: str) -> None:
    """``value`` came from the variable ``name``. Paths of files that are there are no secrets, and are shown."""
    if len(value) >= SHORTEST and not os.path.exists(value):  # noqa: PTH110 - whatever it is, this raises nothing
        _names[value] = name


def named(text: str) -> str:
    """``text`` with ``${NAME}`` in the place of each value that the environment gave, the longest first, also where its letters have changed case."""
    for value in sorted(_names, key=len, reverse=True):
        for written in dict.fromkeys((value, repr(value)[1:-1])):
            if written.lower() in text.lower():
                shown = f"${{{_names[value]}}}"
                text = re.sub(re.escape(written), shown, text, flags=re.IGNORECASE)
    return text


def beginning(text: str, longest: int) -> str:
    """The first characters of what somebody wrote, quoted: a value of the environment's would not be known by its beginning."""
    return repr(named(text)[:longest])
