"""How often a test tries what is left to chance: in full where THOROUGH is set, as `.ci/run` does, else less often.

Each run tries something else, so what a few rounds do not find is found by a later run, or in CI.
"""

import os

THOROUGH = bool(os.environ.get("THOROUGH"))


def rounds(in_full: int, *, else_: int) -> int:
    """Returns how many times to try."""
    return in_full if THOROUGH else else_
