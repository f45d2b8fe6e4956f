"""Polls Routee for the balance and the states of campaigns, if a rule of the account needs them.

The answers are put into the evaluator's ``account_state``, where rules see them at their next evaluation. If the
account lacks an endpoint, that is logged once and the endpoint is tried again each hour; rules work without it or say "not enough data".
"""

import logging
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from typing import Final, Protocol, TypeVar

import numpy as np
import trio

from monitor.alerts.evaluator import RuleEvaluator
from monitor.config.rules import Rule
from monitor.model.account_state import CampaignAt
from monitor.model.message import Unread
from monitor.model.routee_query import AccountBalance, CampaignState
from monitor.runtime.clock import DAY, HOUR, MINUTE, Clock, Duration, Instant
from monitor.runtime.errors import RouteeError, RouteeRefused, RouteeRejected, RouteeUnavailable
from monitor.runtime.throttled_log import ThrottledLog
from monitor.window import Query, WindowReader
from monitor.window.campaign_progress import BY, active, runs

log = logging.getLogger(__name__)

EVERY: Final[Duration] = 5 * MINUTE
CHECK_EVERY: Final[Duration] = MINUTE
"""Interval between checks for campaigns to ask about."""
AGAIN: Final[Duration] = HOUR
"""Delay before a request is repeated that Routee refused for this account or campaign."""
AT_ONCE: Final = 4
"""Maximum campaigns per check: 20 in five minutes."""
LATELY: Final[Duration] = 3 * HOUR
"""Age of a campaign's latest message up to which a campaign not yet asked about is asked about."""
NO_SUCH_CAMPAIGN: Final = "400009001"

Answer = TypeVar("Answer")


class AccountApi(Protocol):
    """The part of an account's client that the pollers use."""

    async def balance(self) -> AccountBalance:
        """Returns the account's balance. Raises RouteeError."""

    async def campaign_state(self, tracking_id: str) -> CampaignState:
        """Returns a campaign's state at Routee. Raises RouteeError."""


Noted = Callable[[str, Sequence[Unread]], None]
"""Gets a campaign's tracking id and the fields of its state that could not be read."""


def _ignore(tracking_id: str, unread: Sequence[Unread]) -> None:
    """Does nothing."""


async def poll_account_state(
    evaluator: RuleEvaluator, routee: AccountApi, clock: Clock, noted: Noted = _ignore
) -> None:
    """Polls what the account's rules need until it is stopped; returns at once if they need nothing."""
    rules = evaluator.rules.values()
    balances = [rule for rule in rules if rule.polled_resource == "balance"]
    campaigns = [rule for rule in rules if rule.polled_resource == "campaigns"]
    async with trio.open_nursery() as nursery:
        if balances:
            balance = BalancePoller(evaluator, routee, clock)
            nursery.start_soon(_repeat, balance.poll, _often(balances), clock, name=f"balance of {evaluator.account}")
        if campaigns:
            states = CampaignPoller(evaluator, routee, clock, noted)
            nursery.start_soon(_repeat, states.poll, CHECK_EVERY, clock, name=f"campaigns of {evaluator.account}")


def _often(rules: list[Rule]) -> Duration:
    return min(rule.every or EVERY for rule in rules)


async def _repeat(work: Callable[[], Awaitable[Duration]], every: Duration, clock: Clock) -> None:
    """Runs the work repeatedly, at its interval or after the longer delay that it returns."""
    while True:
        await clock.sleep(max(await work(), every))


class _AccountStatePoller:
    """Asks one kind of request about one account and logs its failures."""

    def __init__(self, what: str, evaluator: RuleEvaluator, routee: AccountApi, clock: Clock) -> None:
        self._evaluator = evaluator
        self._routee = routee
        self._clock = clock
        self._trouble = ThrottledLog(log, f"{what} of account {evaluator.account}", clock)

    async def _ask(self, question: Awaitable[Answer]) -> Answer | None:
        """Returns the answer, or None if Routee is unavailable. Raises RouteeRefused and RouteeRejected."""
        try:
            answer = await question
        except RouteeUnavailable as error:
            self._trouble.arose(str(error))
            return None
        self._trouble.over()
        return answer

    def _unavailable(self, error: RouteeError) -> Duration:
        """Logs that Routee refuses the answer to this account, and returns how long to wait before asking again."""
        self._trouble.arose(f"{error}; it is asked again in an hour")
        return AGAIN


class BalancePoller(_AccountStatePoller):
    """Asks for the balance."""

    def __init__(self, evaluator: RuleEvaluator, routee: AccountApi, clock: Clock) -> None:
        super().__init__("balance", evaluator, routee, clock)

    async def poll(self) -> Duration:
        """Asks once and returns the minimum wait before the next request."""
        try:
            balance = await self._ask(self._routee.balance())
        except (RouteeRefused, RouteeRejected) as error:
            return self._unavailable(error)
        if balance is not None:
            self._evaluator.account_state = self._evaluator.account_state.with_balance(self._clock.now(), balance)
        return 0


class CampaignPoller(_AccountStatePoller):
    """Asks for the states of running campaigns."""

    def __init__(self, evaluator: RuleEvaluator, routee: AccountApi, clock: Clock, noted: Noted = _ignore) -> None:
        super().__init__("campaign states", evaluator, routee, clock)
        self._noted = noted
        self._unknown: dict[str, Instant] = {}
        """Campaigns that Routee did not know, with the time of that answer."""

    async def poll(self) -> Duration:
        """Asks about the campaigns that are due and returns the minimum wait before the next round."""
        now = self._clock.now()
        self._evaluator.account_state = self._evaluator.account_state.asking(now)
        self._unknown = {name: at for name, at in self._unknown.items() if now - at < AGAIN}
        for tracking_id in campaigns_to_ask(self._evaluator, now, self._unknown):
            try:
                state = await self._ask(self._routee.campaign_state(tracking_id))
            except RouteeRejected as error:
                if error.code != NO_SUCH_CAMPAIGN:
                    return self._no_states(error)
                self._unknown[tracking_id] = now
                continue
            except RouteeRefused as error:
                return self._no_states(error)
            if state is None:
                break  # Routee is unavailable: the rest of the round would fail too
            self._evaluator.account_state = self._evaluator.account_state.with_campaign(self._clock.now(), state)
            if state.unread:
                self._noted(tracking_id, state.unread)
        return 0

    def _no_states(self, error: RouteeError) -> Duration:
        self._evaluator.account_state = self._evaluator.account_state.asking(None)
        return self._unavailable(error)


def campaigns_to_ask(evaluator: RuleEvaluator, now: Instant, unknown: Collection[str]) -> list[str]:
    """Returns the tracking ids to ask about, at most `AT_ONCE`: new ones, latest first, and those last asked `EVERY` ago or earlier.

    Campaigns that are over are left out, and what is known of those long silent is forgotten.
    """
    reading = WindowReader(evaluator.window)
    there = active(reading, Query(now - DAY, now))
    evaluator.account_state = evaluator.account_state.only({reading.labels(BY, int(code))[0] for code in there})
    known = evaluator.account_state.campaigns
    old = [
        name for _, name in sorted((campaign.at, name) for name, campaign in known.items() if _is_due(campaign, now))
    ]
    new = [name for name in _latest_first(reading, now) if name not in known and name not in unknown]
    return [*new[: AT_ONCE - min(len(old), AT_ONCE // 2)], *old][:AT_ONCE]


def _is_due(campaign: CampaignAt, now: Instant) -> bool:
    return not campaign.is_over and now - campaign.at >= EVERY


def _latest_first(reading: WindowReader, now: Instant) -> Iterator[str]:
    """Yields the campaigns with a message in the last `LATELY`, latest first."""
    found = runs(reading, Query(now - LATELY, now), now - LATELY, 0)
    for at in np.argsort(-found.appeared, kind="stable").tolist():
        if found.messages[at]:
            yield reading.labels(BY, int(found.codes[at]))[0]
