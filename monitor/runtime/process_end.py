"""Ends the daemon's process once all is closed, without the end of the interpreter (docs/decisions/0053)."""

import os
import sys
from contextlib import suppress
from threading import Thread
from typing import Final, NoReturn

PATIENCE: Final = 1.0
"""Seconds for what is still to be written to standard output and standard error."""


def end_process(code: int) -> NoReturn:
    """Ends the process with an exit code. Threads that are still at work end where they are, and no function registered with atexit is called.

    The interpreter would end each thread where it next asks for the interpreter's lock, by unwinding its stack. In pydantic's Rust and in RE2's C++
    that aborts the process. And it would wait for the lock of a stream in whose write a thread stands still because nobody reads what is written.
    """
    flush = Thread(target=_flush, name="flush", daemon=True)
    flush.start()
    flush.join(PATIENCE)
    os._exit(code)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # nobody reads it any more, or it is closed
            stream.flush()
