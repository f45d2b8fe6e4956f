"""The state of an account besides its messages: its balance and its campaigns.

Plain values that are replaced as a whole. The store keeps the latest with each poll, so that a restart and the commands know them too.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from monitor.model.routee_query import AccountBalance, CampaignState
from monitor.runtime.clock import HOUR, Duration, Instant

REMEMBERED: Final[Duration] = 25 * HOUR
"""How long balance readings are kept; one day of them is shown."""

OVER: Final = frozenset(
    {
        "finished",
        "completed",
        "complete",
        "done",
        "ended",
        "sent",
        "failed",
        "expired",
        "cancelled",
        "canceled",
        "stopped",
    }
)
CANCELLED: Final = frozenset({"cancelled", "canceled", "stopped"})
HELD: Final = frozenset({"paused", "scheduled", "draft", "pending"})
"""States of campaigns, in small letters; the set is open, and any other means that the campaign is under way."""


@dataclass(frozen=True, slots=True)
class BalanceAt:
    """A balance and the instant at which it was requested."""

    at: Instant
    balance: AccountBalance


@dataclass(frozen=True, slots=True)
class CampaignAt:
    """What Routee says of a campaign, and when it was asked.

    ``over_since`` is when it was first said to be over, where it had been said to be under way before.
    """

    at: Instant
    state: CampaignState
    over_since: Instant | None = None

    @property
    def is_over(self) -> bool:
        """Returns whether the campaign sends nothing more."""
        return self.state.state.lower() in OVER

    @property
    def is_cancelled(self) -> bool:
        """Returns whether a person ended the campaign before it was sent out."""
        return self.state.state.lower() in CANCELLED

    @property
    def is_held(self) -> bool:
        """Returns whether the campaign waits at a person's request."""
        return self.state.state.lower() in HELD


@dataclass(frozen=True, slots=True)
class AccountState:
    """What is known of one account; ``balances`` in the order of time, ``campaigns`` by their tracking ids.

    ``asking_since`` is when the account was first asked about campaigns; None: it is not, or may not be.
    """

    balances: tuple[BalanceAt, ...] = ()
    campaigns: Mapping[str, CampaignAt] = field(default_factory=dict)
    asking_since: Instant | None = None

    def balance_at(self, instant: Instant) -> BalanceAt | None:
        """Returns the latest balance known at ``instant``; None if there was no reading yet."""
        return next((known for known in reversed(self.balances) if known.at <= instant), None)

    def with_balance(self, at: Instant, balance: AccountBalance) -> "AccountState":
        """Returns a copy with one more balance reading."""
        kept = tuple(known for known in self.balances if at - REMEMBERED <= known.at < at)
        return replace(self, balances=(*kept, BalanceAt(at, balance)))

    def with_campaign(self, at: Instant, state: CampaignState) -> "AccountState":
        """Returns a copy with the latest state of one campaign."""
        before, fact = self.campaigns.get(state.tracking_id), CampaignAt(at, state)
        if fact.is_over and before is not None:
            fact = replace(fact, over_since=before.over_since if before.is_over else at)
        return replace(self, campaigns={**self.campaigns, state.tracking_id: fact})

    def asking(self, since: Instant | None) -> "AccountState":
        """These, where campaigns are asked about (if not before, then) from that instant on; None: no more."""
        known = None if since is None else self.asking_since
        return replace(self, asking_since=since if known is None else known)

    def only(self, tracking_ids: Collection[str]) -> "AccountState":
        """Returns a copy with only the campaigns of ``tracking_ids``."""
        kept = {name: fact for name, fact in self.campaigns.items() if name in tracking_ids}
        return replace(self, campaigns=kept)


NOTHING_KNOWN: Final = AccountState()
