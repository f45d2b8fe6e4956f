"""What people change by hand while the daemon runs: silences and acknowledgements."""

from dataclasses import dataclass, field

from monitor.routing.acknowledgements import Ack
from monitor.routing.silences import Silence


@dataclass(slots=True)
class SuppressionEdits:
    """Silences and acknowledgements that are new or changed, and those to be forgotten (by id, by fingerprint)."""

    silences: list[Silence] = field(default_factory=list)
    dropped_silences: list[str] = field(default_factory=list)
    acks: list[Ack] = field(default_factory=list)
    dropped_acks: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.silences or self.dropped_silences or self.acks or self.dropped_acks)
