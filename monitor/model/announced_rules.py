"""What a daemon tells the others on the store about the rules by which it judges the accounts."""

from collections.abc import Mapping
from dataclasses import field

from monitor.runtime.clock import Instant
from monitor.runtime.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class AnnouncedRules:
    """A digest for each account of a daemon's configuration, as it was announced at ``heard_at`` by the store's clock.

    ``daemon`` is ``HOST:PROCESS``; of one that ended in good order, which the store does not know any more, its host, and its port if
    that is known. It counts until ``counts_until``, or longer while it ``lives``.
    """

    daemon: str
    lives: bool
    heard_at: Instant
    counts_until: Instant
    digests: Mapping[str, str] = field(default_factory=dict)
