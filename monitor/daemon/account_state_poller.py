"""What is asked of Routee besides messages: the balance, and how campaigns stand. Only where a rule of the account needs it.

The answers are put into the evaluator's ``account_state``, where rules see them at their next evaluation. An endpoint that the account
does not have is complained of once and asked again each hour; rules then work without it, or say "not enough data".
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
"""How often it is looked whether there are campaigns to ask about."""
AGAIN: Final[Duration] = HOUR
"""Until something is asked again that the account does not have."""
AT_ONCE: Final = 4
"""The most campaigns that one round asks about: 20 in five minutes."""
LATELY: Final[Duration] = 3 * HOUR
"""A campaign that was never asked about is, while a message of it appeared in this span."""
NO_SUCH_CAMPAIGN: Final = "400009001"

Answer = TypeVar("Answer")


class AccountApi(Protocol):
    """What is needed of an account's client."""

    async def balance(self) -> AccountBalance:
        """The account's balance. Raises RouteeError."""

    async def campaign_state(self, tracking_id: str) -> CampaignState:
        """What Routee says of a campaign. Raises RouteeError."""


Noted = Callable[[str, Sequence[Unread]], None]
"""Told of what of a campaign (its tracking id) could not be read."""


def _ignore(tracking_id: str, unread: Sequence[Unread]) -> None:
    """Nothing."""


async def poll_account_state(
    evaluator: RuleEvaluator, routee: AccountApi, clock: Clock, noted: Noted = _ignore
) -> None:
    """Ask for what the account's rules need, for as long as it runs; it ends at once where they need nothing."""
    rules = evaluator.rules.values()
    balances = [rule for rule in rules if rule.account_state == "balance"]
    campaigns = [rule for rule in rules if rule.account_state == "campaigns"]
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
    """Do it again and again: at its interval, or as much later as it says."""
    while True:
        await clock.sleep(max(await work(), every))


class _AccountStatePoller:
    """One kind of question about one account, and what became of it."""

    def __init__(self, what: str, evaluator: RuleEvaluator, routee: AccountApi, clock: Clock) -> None:
        self._evaluator = evaluator
        self._routee = routee
        self._clock = clock
        self._trouble = ThrottledLog(log, f"{what} of account {evaluator.account}", clock)

    async def _ask(self, question: Awaitable[Answer]) -> Answer | None:
        """The answer, or None where there is none now. Raises RouteeRefused and RouteeRejected where there will be none."""
        try:
            answer = await question
        except RouteeUnavailable as error:
            self._trouble.arose(str(error))
            return None
        self._trouble.over()
        return answer

    def _unavailable(self, error: RouteeError) -> Duration:
        """Routee does not give this account the answer: how long to leave it at that."""
        self._trouble.arose(f"{error}; it is asked again in an hour")
        return AGAIN


class BalancePoller(_AccountStatePoller):
    """Asks for the balance."""

    def __init__(self, evaluator: RuleEvaluator, routee: AccountApi, clock: Clock) -> None:
        super().__init__("balance", evaluator, routee, clock)

    async def poll(self) -> Duration:
        """Ask once; gives the least time to wait until it may be asked again."""
        try:
            balance = await self._ask(self._routee.balance())
        except (RouteeRefused, RouteeRejected) as error:
            return self._unavailable(error)
        if balance is not None:
            self._evaluator.account_state = self._evaluator.account_state.with_balance(self._clock.now(), balance)
        return 0


class CampaignPoller(_AccountStatePoller):
    """Asks how campaigns stand that are under way."""

    def __init__(self, evaluator: RuleEvaluator, routee: AccountApi, clock: Clock, noted: Noted = _ignore) -> None:
        super().__init__("campaign states", evaluator, routee, clock)
        self._noted = noted
        self._unknown: dict[str, Instant] = {}
        """Campaigns that Routee did not know, and when it said so."""

    async def poll(self) -> Duration:
        """Ask about those that matter; gives the least time to wait until it may be asked again."""
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
                break  # Routee is not serving now: the rest of the round would only fare the same
            self._evaluator.account_state = self._evaluator.account_state.with_campaign(self._clock.now(), state)
            if state.unread:
                self._noted(tracking_id, state.unread)
        return 0

    def _no_states(self, error: RouteeError) -> Duration:
        self._evaluator.account_state = self._evaluator.account_state.asking(None)
        return self._unavailable(error)


def campaigns_to_ask(evaluator: RuleEvaluator, now: Instant, unknown: Collection[str]) -> list[str]:
    """The tracking ids to ask about, at most AT_ONCE: those never asked about, the latest first, and those asked EVERY ago or longer.

    Campaigns that are over are left out, and what is known of those long silent is forgotten.
    """
    reading = WindowReader(evaluator.window)
    there = active(reading, Query(now - DAY, now))
    evaluator.account_state = evaluator.account_state.only({reading.labels(BY, int(code))[0] for code in there})
    known = evaluator.account_state.campaigns
    old = [name for _, name in sorted((fact.at, name) for name, fact in known.items() if _is_due(fact, now))]
    new = [name for name in _latest_first(reading, now) if name not in known and name not in unknown]
    return [*new[: AT_ONCE - min(len(old), AT_ONCE // 2)], *old][:AT_ONCE]


def _is_due(fact: CampaignAt, now: Instant) -> bool:
    return not fact.is_over and now - fact.at >= EVERY


def _latest_first(reading: WindowReader, now: Instant) -> Iterator[str]:
    """Campaigns of which a message appeared lately."""
    found = runs(reading, Query(now - LATELY, now), now - LATELY, 0)
    for at in np.argsort(-found.appeared, kind="stable").tolist():
        if found.messages[at]:
            yield reading.labels(BY, int(found.codes[at]))[0]
