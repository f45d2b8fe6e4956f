"""Fuzzing that is guided by what the code does: ``python -m tests.fuzz.guided TARGET CORPUS [libFuzzer's options]``.

Needs atheris (requirements/fuzz.txt). Ends by itself after ``-max_total_time`` seconds, or at the first input that breaks a promise.
"""

import logging
import sys
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["monitor"]):
    from tests.fuzz.targets import SEEDS, TARGETS


def main() -> None:
    """The command."""
    name, corpus = sys.argv[1], Path(sys.argv[2])
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS[name]):
        (corpus / f"seed-{number}").write_bytes(seed)
    logging.disable()
    warnings.simplefilter("ignore")
    atheris.Setup([sys.argv[0], str(corpus), "-timeout=10", "-max_len=4000", *sys.argv[3:]], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
