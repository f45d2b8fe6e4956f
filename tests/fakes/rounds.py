"""How often a test tries what is left to chance: in full where THOROUGH is set, as `.ci/run` does, else less often."""

import os


def rounds(in_full: int, *, else_: int) -> int:
    """Returns how many times to try."""
    return in_full if os.environ.get("THOROUGH") else else_
