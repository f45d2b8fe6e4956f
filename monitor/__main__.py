"""``python -m monitor`` is ``routee-monitor``. What is imported here comes before a daemon can take a signal, so it is next to nothing."""

import sys
from collections.abc import Sequence

_OPTIONS_WITH_VALUES = ("-c", "--config")
"""The options that may stand before a command's name and take a value."""


def main() -> None:
    """Runs the program ``routee-monitor``; the signals of a daemon are taken before anything else is imported."""
    is_daemon = is_run(sys.argv[1:])
    if is_daemon:
        from monitor.runtime.start_signals import StartSignals

        StartSignals().__enter__()  # for as long as the process lives
    from monitor.cli import main as run_program

    try:
        run_program()
    except SystemExit as end:
        if not is_daemon or not isinstance(end.code, int):
            raise
        from monitor.runtime.process_end import end_process

        end_process(end.code)


def is_run(arguments: Sequence[str]) -> bool:
    """Returns whether these arguments of the program are those of ``run``."""
    words = iter(arguments)
    for word in words:
        if word in _OPTIONS_WITH_VALUES:
            next(words, None)
        elif not word.startswith("-"):
            return word == "run"
    return False


if __name__ == "__main__":
    main()
