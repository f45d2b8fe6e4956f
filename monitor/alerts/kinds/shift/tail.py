"""What is known of the states after the checkpoint, so that an evaluation folds only what may have changed since the last one."""

from monitor.alerts.kinds.result import EvaluationInput
from monitor.alerts.kinds.shift.delays import LATEST, Delays
from monitor.alerts.kinds.shift.groups import GroupRows
from monitor.alerts.kinds.shift.state import ShiftState
from monitor.config.rules.shift import Shift
from monitor.runtime.clock import Instant
from monitor.runtime.dataclass import dataclass
from monitor.window.columns import AS_MESSAGE, AS_PART
from monitor.window.profile_index import Facets


@dataclass(frozen=True, slots=True)
class Settled:
    """The state after all minutes up to ``at``, which no later evaluation changes while the messages stay the same.

    It is of the window's ``version``, and was worked out as of ``as_of`` with so many ``groups``. ``folded`` is a digest of all that was folded.
    """

    version: tuple[int, Facets]
    at: Instant
    as_of: Instant
    groups: int
    state: ShiftState
    delays: Delays
    folded: bytes

    def holds(self, rule: Shift, inputs: EvaluationInput, groups: GroupRows) -> bool:
        """Whether it is what folding gives now."""
        version, facets = self.version
        window = inputs.reading.window
        if window.version != version or window.facets is not facets or inputs.as_of < self.as_of:
            return False
        if rule.event == "failure":
            return True
        # What was sent, and is said to be reported later than `LATEST` from now, is not counted yet.
        later = window.columns.timeline.rows(self.as_of + LATEST, inputs.as_of + LATEST, AS_PART | AS_MESSAGE)
        return len(groups) == self.groups and not later.size


class Tail:
    """States after minutes of the tail, by a digest of all that was folded since the checkpoint. So one that is found is right, whatever came
    late meanwhile; and most polls fold the last minutes only. Where nothing came at all, ``settled`` says from where on to fold.
    """

    def __init__(self) -> None:
        self.known: dict[bytes, tuple[ShiftState, Delays]] = {}
        self.settled: Settled | None = None
