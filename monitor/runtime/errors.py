"""The exceptions of this program. Each message says what happened and what a person can do.

MonitorError
├── InputError              a file that a person wrote is wrong; lists every problem with its place   exit 65 (rules) or 78
│   └── EnvironmentUnusable   a proxy or certificates that the environment names cannot be used         exit 78
├── SecretUnreadable        the file of a secret that is needed cannot be read                        exit 78
├── RouteeError             Routee did not return what was requested
│   ├── RouteeUnavailable   no answer, or one that says "later": retried automatically                exit 69
│   ├── RouteeRefused       credentials or permissions are not accepted: a person has to act          exit 69
│   └── RouteeRejected      the request was wrong (unknown campaign, unknown message)                 exit 1
├── NothingThere            no object has the requested id (no such silence, no such alert)           exit 1
├── AmbiguousName          a shortened name means several objects                                 exit 1
├── StoreError              the store cannot be read or written now                                   exit 69
│   ├── StoreDamaged        the store's content is corrupt: the daemon moves a SQLite file aside when it starts
│   ├── StoreUnreachable    its server is away, starting, busy or full: the daemon tries again, also when it starts
│   ├── StoreOutdated       the store is not as this daemon left it: the daemon ends, and has to start again
│   ├── LeaseLost           another daemon holds the account now: nothing was written
│   └── DecidedTooLate      somebody has changed silences or acknowledgements at the same moment: nothing was written
├── InternalError           an unexpected failure of one task: it is retried, and everything else goes on   exit 70
└── ListenError             the web listener cannot bind its address (busy, not allowed, not ours)    exit 69
"""

import traceback
from dataclasses import field
from pathlib import PurePath

from monitor.runtime.dataclass import dataclass
from monitor.runtime.environment_values import named


class MonitorError(Exception):
    """Base class of all of them. ``str()`` is a text for people."""

    exit_code = 1


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong in a file. ``line`` and ``column`` count from 1, or are 0; ``path`` is the key's path (``rules[2].window``)."""

    file: str
    line: int
    column: int
    path: str
    message: str
    of_key: bool = field(default=False, compare=False)
    """It concerns a key rather than its value; other problems may follow from it."""

    def __post_init__(self) -> None:
        # A value from the environment may be a misplaced secret.
        object.__setattr__(self, "path", named(self.path))
        object.__setattr__(self, "message", named(self.message))

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}: " if self.line else f"{self.file}: "
        return place + (f"{self.path}: {self.message}" if self.path else self.message)


class InputError(MonitorError):
    """Files that people wrote have problems; the error lists all of them, in each file those of keys first."""

    def __init__(self, problems: list[Problem], exit_code: int = 78) -> None:
        self.problems = sorted(set(problems), key=_place)
        self.exit_code = exit_code
        super().__init__("\n".join(str(problem) for problem in self.problems))


def _place(one: Problem) -> tuple[object, ...]:
    """Returns what problems are sorted by. As a tuple, since there may be very many: comparing two of them takes far longer."""
    return one.file, not one.of_key, one.line, one.column, one.path, one.message


class EnvironmentUnusable(InputError):
    """Environment variables for proxies or certificates cannot be used; the error lists all of them."""


def of_environment(variable: str, message: str) -> Problem:
    """Returns a problem with the value of an environment variable; it has no line."""
    return Problem("environment", 0, 0, variable, message)


class SecretUnreadable(MonitorError):
    """The file of a secret cannot be read by this command, which needs it."""

    exit_code = 78


class RouteeError(MonitorError):
    """Routee did not return what was requested. ``outcome`` is a short word for metrics (``429``, ``timeout``, ``html``)."""

    exit_code = 69

    def __init__(self, message: str, outcome: str = "error") -> None:
        super().__init__(message)
        self.outcome = outcome


class RouteeUnavailable(RouteeError):
    """Routee gave no usable answer, even after retries. ``reason`` is the message without the number of tries of that request."""

    def __init__(self, message: str, outcome: str = "error", reason: str = "") -> None:
        super().__init__(message, outcome)
        self.reason = reason or message


class RouteeRefused(RouteeError):
    """Routee does not accept the credentials or permissions."""


class RouteeRejected(RouteeError):
    """The request was wrong; ``code`` is Routee's nine-digit error code where it sent one."""

    exit_code = 1

    def __init__(self, message: str, outcome: str = "rejected", code: str = "") -> None:
        super().__init__(message, outcome)
        self.code = code


class NothingThere(MonitorError):
    """The requested id does not exist."""


class AmbiguousName(MonitorError):
    """The first characters of a name are those of several objects; says which."""


class ChangedMeanwhile(MonitorError):
    """What somebody wants to change has changed, or has ended, since they looked at it."""


class StoreError(MonitorError):
    """The store cannot be read or written now (busy, full disk, no such folder)."""

    exit_code = 69


class StoreBusy(StoreError):
    """Too many wait for the store, or for what explains an alert. The request was not begun."""


class StoreDamaged(StoreError):
    """The store's content is corrupt: a torn page, a truncated file, or bytes that are not a valid record."""


class StoreUnreachable(StoreError):
    """The store's server cannot be reached now, is only just starting, or is too busy or too full. Trying again may help."""


class StoreOutdated(StoreError):
    """The store is not as this daemon left it, so that what the daemon has in memory no longer fits: it has to start again."""


class LeaseLost(StoreError):
    """This daemon does not hold ``accounts`` (any more), for which it wanted to write. Nothing was written.

    ``why``: its leases ran out because they could not be renewed, which says why not. Maybe nobody else has taken them.
    """

    def __init__(self, accounts: tuple[str, ...], why: str = "") -> None:
        self.accounts = accounts
        before = f"the leases could not be renewed ({why}): " if why else ""
        names = ", ".join(accounts)
        super().__init__(f"{before}another daemon may work on {names} now, so nothing was written for it here")


class DecidedTooLate(StoreError):
    """Another daemon has changed silences or acknowledgements since they were read for this change. Nothing was written."""

    def __init__(self) -> None:
        super().__init__(
            "others change silences and acknowledgements at the same moment, so nothing was changed; try again"
        )


class ListenError(MonitorError):
    """The listener cannot bind its address."""

    exit_code = 69


class InternalError(MonitorError):
    """An unexpected exception, shown to people as a fault of this program."""

    exit_code = 70

    def __init__(self, error: Exception) -> None:
        self.error = error
        super().__init__(f"an internal error ({place_of(error)}); please report it with the traceback in the log")


def place_of(error: BaseException) -> str:
    """Returns the error's type and place: ``TypeError at wire.py:120``. The text is left out because it may contain a secret."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return type(error).__name__ + place
