"""Stands for secrets whose files cannot be read: an error only for who uses them.

A service manager hands secrets to the daemon alone. Commands beside it read the same configuration, and most of them need no secret.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import SecretStr, ValidatorFunctionWrapHandler, WrapValidator

from monitor.runtime.errors import SecretUnreadable


class UnreadSecret(SecretStr):
    """A secret that could not be read. Raises SecretUnreadable, which says why, when it is used."""

    def __init__(self, why: str) -> None:
        super().__init__("")
        self.why = why

    def get_secret_value(self) -> str:
        raise SecretUnreadable(self.why)


class UnreadPairs(Mapping[str, SecretStr]):
    """Named secrets of a file that could not be read. Raises SecretUnreadable, which says why, when they are used."""

    def __init__(self, why: str) -> None:
        self.why = why

    def __getitem__(self, name: str) -> SecretStr:
        raise SecretUnreadable(self.why)

    def __iter__(self) -> Iterator[str]:
        raise SecretUnreadable(self.why)

    def __len__(self) -> int:
        raise SecretUnreadable(self.why)


def why_unread(secret: object) -> str:
    """Returns why the secret could not be read; empty for one that is known, and for None."""
    return secret.why if isinstance(secret, UnreadSecret | UnreadPairs) else ""


def _one(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    return value if isinstance(value, UnreadSecret) else handler(value)


def _pairs(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    return UnreadPairs(value.why) if isinstance(value, UnreadSecret) else handler(value)


MAY_BE_UNREAD: Final = WrapValidator(_one)
"""Keeps an `UnreadSecret` from the validators before it in an annotation."""
MAY_BE_UNREAD_PAIRS: Final = WrapValidator(_pairs)
