"""The state of an account besides its messages: its balance and its campaigns.

The values are immutable. The store keeps the latest state, so that it is known after a restart and to the commands.
"""

from collections.abc import Collection, Mapping
from dataclasses import field, replace
from typing import Final

from monitor.model.message import FINAL
from monitor.model.routee_query import AccountBalance, CampaignState
from monitor.runtime.clock import HOUR, Duration, Instant
from monitor.runtime.dataclass import dataclass

REMEMBERED: Final[Duration] = 25 * HOUR
"""How long balance readings are kept; one day of them is shown."""

MOST_CAMPAIGNS: Final = 1_000
"""The most campaigns of which a pushed state is kept; of more, those last heard of."""

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
"""States of a campaign that sends nothing more, in small letters. Routee may add states."""
CANCELLED: Final = frozenset({"cancelled", "canceled", "stopped"})
"""Those of them in which a person ended the campaign."""
HELD: Final = frozenset({"paused", "scheduled", "draft", "pending"})
"""States of a campaign that waits at a person's request. Any state that is not listed means that the campaign is under way."""


def is_held(state: CampaignState) -> bool:
    """Returns whether a campaign in that state waits at a person's request."""
    return state.state.lower() in HELD


def _progress(state: CampaignState) -> tuple[bool, int, int]:
    """Returns what only grows while a campaign is sent out."""
    final = sum(count for status, count in state.statuses.items() if status in FINAL)
    return state.state.lower() in OVER, final, sum(state.statuses.values())


@dataclass(frozen=True, slots=True)
class BalanceAt:
    """A balance and the instant at which it was requested."""

    at: Instant
    balance: AccountBalance


@dataclass(frozen=True, slots=True)
class CampaignAt:
    """The state of a campaign, and when Routee was asked for it.

    ``over_since`` is when Routee first said that it is over, and ``before_over`` the state before that; both are None if it is not, or was over
    already when it was first asked for.
    """

    at: Instant
    state: CampaignState
    over_since: Instant | None = None
    before_over: CampaignState | None = None

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
        return is_held(self.state)


@dataclass(frozen=True, slots=True)
class AccountState:
    """What is known of one account: ``balances`` in the order of time, ``campaigns`` by their tracking ids.

    ``asking_since`` is the time from which on campaigns have been requested; None if they are not requested, or Routee refuses.
    """

    balances: tuple[BalanceAt, ...] = ()
    campaigns: Mapping[str, CampaignAt] = field(default_factory=dict)
    asking_since: Instant | None = None

    @property
    def currency(self) -> str:
        """The account's currency (``EUR``), which Routee says with its balance; empty if it has not said it."""
        return self.balances[-1].balance.currency if self.balances else ""

    def balance_at(self, instant: Instant) -> BalanceAt | None:
        """Returns the latest balance known at ``instant``; None if there was no reading yet."""
        return next((known for known in reversed(self.balances) if known.at <= instant), None)

    def with_balance(self, at: Instant, balance: AccountBalance) -> "AccountState":
        """Returns a copy with one more balance reading."""
        kept = tuple(known for known in self.balances if at - REMEMBERED <= known.at < at)
        return replace(self, balances=(*kept, BalanceAt(at, balance)))

    def with_campaign(self, at: Instant, state: CampaignState) -> "AccountState":
        """Returns a copy with the latest state of one campaign."""
        before, campaign = self.campaigns.get(state.tracking_id), CampaignAt(at, state)
        if campaign.is_over and before is not None:
            since, state_before = (before.over_since, before.before_over) if before.is_over else (at, before.state)
            campaign = replace(campaign, over_since=since, before_over=state_before)
        return replace(self, campaigns={**self.campaigns, state.tracking_id: campaign})

    def with_pushed_campaign(self, at: Instant, state: CampaignState) -> "AccountState":
        """Returns a copy with a campaign's state that Routee pushed, unless more is known: pushes have no date, and come late or twice.

        A campaign that is over stays over, and of two states the one with more final messages, then with more messages, is the later one.
        """
        before = self.campaigns.get(state.tracking_id)
        if before is None:
            oldest = sorted(self.campaigns, key=lambda name: self.campaigns[name].at)
            dropped = oldest[: max(len(oldest) + 1 - MOST_CAMPAIGNS, 0)]
            return self.only(self.campaigns.keys() - set(dropped)).with_campaign(at, state)
        known = before.state
        if _progress(state) < _progress(known):
            return self
        merged = replace(
            state,
            name=state.name or known.name,
            recipients=known.recipients if state.recipients is None else state.recipients,
            scheduled_at=known.scheduled_at,
            created_at=known.created_at,
        )
        return self if merged == known else self.with_campaign(at, merged)

    def asking(self, since: Instant | None) -> "AccountState":
        """Returns a copy that says that campaigns are requested from ``since`` on, or from an earlier start; None: no longer."""
        known = None if since is None else self.asking_since
        return replace(self, asking_since=since if known is None else known)

    def only(self, tracking_ids: Collection[str]) -> "AccountState":
        """Returns a copy with only the campaigns of ``tracking_ids``."""
        kept = {name: campaign for name, campaign in self.campaigns.items() if name in tracking_ids}
        return replace(self, campaigns=kept)


NOTHING_KNOWN: Final = AccountState()
