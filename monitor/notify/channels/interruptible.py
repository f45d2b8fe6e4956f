"""Runs a library's call in a thread that ends when nobody waits for it any more, so that it sends nothing after that.

A thread cannot be cancelled, and a library that blocks offers no other way: a notification could go out seconds after another daemon has taken
its account and told that it is over. CPython raises an exception in a thread as soon as the thread is back in Python: what a system call
was just doing is still done, such as opening a connection, but nothing after it.
"""

import ctypes
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

import trio

T = TypeVar("T")


class Interrupted(BaseException):
    """Nobody waits for the call any more. No `Exception`: libraries catch those, and would go on."""


async def run_interruptible(function: Callable[[], T], limiter: trio.CapacityLimiter) -> T:
    """Runs ``function`` in a thread and returns its result. If this is cancelled, the thread is interrupted, and nobody waits for its end."""
    call = _Call(function)
    try:
        return await trio.to_thread.run_sync(call.run, abandon_on_cancel=True, limiter=limiter)
    except trio.Cancelled:
        call.interrupt()
        raise


class _Call(Generic[T]):
    """A call that another thread can interrupt while it is made, and not afterwards: the thread then does something else."""

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._lock = threading.Lock()
        self._thread: int | None = None
        self._is_over = False

    def run(self) -> T:
        """Makes the call. Raises Interrupted."""
        with self._lock:
            if self._is_over:
                raise Interrupted
            self._thread = threading.get_ident()
        with suppress(Interrupted):  # what it was raised in is let go of here, and with it the connection
            try:
                return self._function()
            finally:
                if self._ends_interrupted():
                    _take_what_is_raised()
        raise Interrupted

    def _ends_interrupted(self) -> bool:
        """Notes that the thread does something else from now on. Returns whether the call was interrupted before."""
        with self._lock:
            self._thread = None
            return self._is_over

    def interrupt(self) -> None:
        """Ends the call, or lets it not begin."""
        with self._lock:
            self._is_over = True
            if self._thread is not None:
                _raise_in(self._thread, Interrupted)


def _raise_in(thread: int, error: type[BaseException]) -> None:
    """Has the thread raise an exception."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error))


def _take_what_is_raised() -> None:
    """Takes an exception that is still to be raised in this thread, or was already: a further one replaces it, and is waited for.

    It would otherwise be raised in what the thread does next. To take it back (with NULL) is no way: CPython then believes for ever that one is
    still to come, and a debugger, or whatever traces calls, stands still at the next one.
    """
    with suppress(Interrupted):
        _raise_in(threading.get_ident(), Interrupted)
        while True:
            pass
