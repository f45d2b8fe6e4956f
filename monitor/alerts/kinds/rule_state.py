"""What a rule of some kinds keeps from one evaluation to the next, because the window alone does not have it."""

from typing import Protocol

from monitor.runtime.dataclass import dataclass


class RuleState(Protocol):
    """It never changes: an evaluation hands the next one over in its `RuleResult`. It is stored in the same commit as the poll."""

    @property
    def is_ready(self) -> bool:
        """False while it is still worked out of the past, some at a time."""

    def blob(self) -> bytes:
        """As the store keeps it."""


@dataclass(frozen=True, slots=True)
class StoredRuleState:
    """As it came out of the store: the rule's kind reads it at the first evaluation."""

    data: bytes

    @property
    def is_ready(self) -> bool:
        return True

    def blob(self) -> bytes:
        return self.data
