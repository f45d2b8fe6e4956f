"""Which accounts a worker cannot poll although it holds them, and which it therefore leaves to others: maybe another worker can. Pure.

Routee may be out of reach from one machine only, or one machine may have a wrong secret. What a worker left to others it asks Routee for now and
then, one small question each (a probe), and takes nothing before that was answered. Then it takes one account, and the others once a poll of that
one has succeeded. If it fails all the same, which a probe cannot foresee, nothing is tried for a while, and for twice as long after each such
failure. A worker at which every request fails, as all do while Routee is down, is no better than the one that holds an account: until a request
or a probe succeeds it takes nothing from others. Where some accounts fail and others, which are polled more rarely, were not asked since, it asks
Routee for these as well, to know whether all fail.
All times are seconds of the same clock.
"""

from collections.abc import Collection
from dataclasses import field
from math import inf
from typing import Final

from monitor.daemon.fleet.left_reasons import CAN_AGAIN, cut_off, is_of_clock, unpolled
from monitor.model.fleet import Fleet
from monitor.runtime.dataclass import dataclass

FAILING_FOR: Final = 15.0
"""Seconds for which an account's requests fail, and none succeeds, before others are to take it."""
FIRST_PAUSE: Final = 15.0
"""Seconds between two probes of an account at first; twice as long each time, up to LONGEST_PAUSE."""
LONGEST_PAUSE: Final = 300.0
OFTEN: Final = 30.0
"""The longest pause where another worker holds the account and cannot poll it either."""
UNDECIDED_FOR: Final = 90.0
"""Seconds for which accounts may fail while it is not known of others whether they do: Routee may be out of reach, or only these be."""
PROVING: Final = 60.0
"""Seconds for which the others of its workers' accounts wait for the first one that it is given. Without one its share is full."""
FIRST_REST: Final = 600.0
"""Seconds for which a worker tries nothing after polls have failed although a probe was answered; twice as long each time, up to LONGEST_REST."""
LONGEST_REST: Final = 14_400.0

UNCONFIGURED: Final = "unconfigured"
"""The outcome of a probe where there is nothing to ask for."""
_OF_THE_QUESTION: Final = frozenset({"429", "cancelled", "paging", "malformed"})
"""Outcomes that another worker would get as well."""


def is_out_of_reach(outcome: str) -> bool:
    """Returns whether a request with this outcome failed for a reason that may be the worker's own: its credentials, or its way to Routee."""
    is_of_question = outcome.startswith("4") and outcome not in ("401", "403", "407", "408")
    return not is_of_question and outcome not in _OF_THE_QUESTION


@dataclass(slots=True)
class _Probes:
    """When the account was asked for last, and how long it is then left alone."""

    at: float = -inf
    pause: float = FIRST_PAUSE / 2


@dataclass(slots=True)
class UnpolledAccounts:
    """The failures of this worker.

    ``left_alone`` are the accounts that others should take rather than this one, those that it holds included, as of the last `follow`.
    """

    left_alone: frozenset[str] = frozenset()
    _since: dict[str, float] = field(default_factory=dict)
    _succeeded_at: float = -inf
    _outcomes: dict[str, str] = field(default_factory=dict)
    """How the last request of each account failed that has failed."""
    _given: set[str] = field(default_factory=set)
    _others: frozenset[str] = frozenset()
    """What is left to others and tried from time to time."""
    _doubtful: frozenset[str] = frozenset()
    """What is held, and was not asked since the first of those that fail began to."""
    _in_vain: dict[str, float] = field(default_factory=dict)
    """When a question for what was doubtful was not answered, or could not be asked because there is nothing to poll."""
    _probes: dict[str, _Probes] = field(default_factory=dict)
    _overdue: frozenset[str] = frozenset()
    _unproved: set[str] = field(default_factory=set)
    """What could be polled by the answers to probes, and was not polled yet."""
    _answered: set[str] = field(default_factory=set)
    """Accounts whose last probe was answered, until they are polled or given away: also those that do not wait for a trial any more."""
    _trial: str = ""
    """The one of them that is taken first."""
    _trial_since: float = -inf
    _rest: float = FIRST_REST / 2
    _rests_until: float = -inf
    _is_cut_off: bool = False

    def failed(self, account: str, outcome: str, now: float) -> None:
        """Notes that a request for messages of an account failed."""
        if is_out_of_reach(outcome):
            self._since.setdefault(account, now)
            self._note(account, outcome)

    def succeeded(self, account: str, now: float) -> None:
        """Notes that Routee answered a request for messages of an account."""
        self._succeeded_at = now
        self._since.pop(account, None)
        self._in_vain.pop(account, None)
        if account in self._given or account in self._unproved:
            self.reconsider()
            self._unproved.clear()
        elif self._is_cut_off:  # that says nothing of what fails although a question is answered
            self._probes.clear()
        self._given.discard(account)
        self._answered.discard(account)
        self._is_cut_off = False

    def reconsider(self) -> None:
        """Has this worker ask at once for what it left to others: the reason may be gone."""
        self._rest, self._rests_until = FIRST_REST / 2, -inf
        self._probes.clear()

    def given_back(self, account: str, now: float) -> None:
        """Notes that an account that could not be polled is given to others."""
        self._given.add(account)
        self.left_alone |= {account}
        if account in self._unproved | self._answered and now >= self._rests_until:
            self._rest = min(2 * self._rest, LONGEST_REST)
            self._rests_until = now + self._rest
            self._given |= self._unproved
            self._unproved.clear()
        self._answered.discard(account)

    def to_probe(self, now: float) -> tuple[str, ...]:
        """Returns the accounts for which Routee is to be asked a small question now; `probed` takes what comes of it."""
        if now < self._rests_until:
            return tuple(sorted(self._doubtful))
        due = {one for one in self._others - self._unproved if now >= self._probe_due(one)}
        return tuple(sorted(due | self._doubtful))

    def probed(self, account: str, now: float, outcome: str = "") -> bool:
        """Notes that Routee answered the question for an account; or how that failed, as an ``outcome``. Returns whether the account can be polled
        from here again."""
        if account in self._doubtful:
            self._doubtful -= {account}
            if outcome == UNCONFIGURED or (outcome and is_out_of_reach(outcome)):
                self._in_vain[account] = now
            else:
                self._succeeded_at = now
        if account not in self._others:
            return False
        if outcome:
            self._note(account, outcome)
            probes = self._probes.setdefault(account, _Probes())
            probes.at, probes.pause = now, min(2 * probes.pause, LONGEST_PAUSE)
            return False
        self._unproved |= {account} | (self._others - self._given if self._is_cut_off else set())
        self._answered.add(account)
        self._given.discard(account)
        self._probes.clear()  # the others may have had the same trouble
        self._is_cut_off = False
        if not self._trial:
            self._trial, self._trial_since = account, now
        return True

    def follow(self, worker: int, held: Collection[str], fleet: Fleet, now: float) -> None:
        """Takes the answer to a beat of this worker, which holds ``held``.

        What nobody else holds or would take is left alone by nobody: an account that cannot be polled has to be told of by somebody.
        """
        living = [one for one in fleet.living if one.id != worker]
        theirs = {account for one in living for account in (*fleet.accounts_of(one.id), *one.takes)}
        self._overdue = frozenset(
            account for one in living for account in one.left_alone if not is_of_clock(one.why(account))
        )
        self._since = {name: since for name, since in self._since.items() if name in held}
        oldest = min(self._since.values(), default=inf)
        self._in_vain = {name: at for name, at in self._in_vain.items() if name in held and at >= oldest}
        unknown = frozenset(held).difference(self._since, self._in_vain)
        cannot = self._cannot(unknown, now)
        if cannot and not unknown:
            self._is_cut_off = True
        is_open = oldest <= now - FAILING_FOR and self._succeeded_at < oldest
        self._doubtful = unknown if is_open else frozenset()
        self._unproved &= theirs.union(held)
        self._follow_trial(held, now)
        left = theirs if self._is_cut_off else theirs & (self._given | self._unproved)
        self._others = frozenset(left.difference(held))
        self.left_alone = frozenset(cannot | self._others - {self._trial})

    def _cannot(self, unknown: Collection[str], now: float) -> set[str]:
        """Returns the accounts that are to be left to others, which fail alone or as all do; none while that is not known. ``unknown`` are those
        that are not known to fail."""
        failing = {name for name, since in self._since.items() if now - since >= FAILING_FOR}
        if not unknown:
            return failing
        return {name for name in failing if self._since[name] <= max(self._succeeded_at, now - UNDECIDED_FOR)}

    def _follow_trial(self, held: Collection[str], now: float) -> None:
        if self._trial and self._trial not in held and now >= self._trial_since + PROVING:
            self._unproved.clear()
        if self._trial not in self._unproved:
            self._trial, self._trial_since = min(self._unproved, default=""), now

    @property
    def left_to_others(self) -> frozenset[str]:
        """The accounts that this worker gave away because it could not poll them, until it can."""
        return frozenset(self._given)

    @property
    def reasons(self) -> dict[str, str]:
        """Why each account is left to others, of those that are, with what to do."""
        return {account: self._reason(account) for account in self.left_alone}

    def _reason(self, account: str) -> str:
        if account in self._unproved and account not in self._since:
            return CAN_AGAIN
        if account in self._given or account in self._since:
            return unpolled(self._outcomes.get(account, ""))
        return cut_off(next(reversed(self._outcomes.values()), ""))

    def _note(self, account: str, outcome: str) -> None:
        self._outcomes.pop(account, None)
        self._outcomes[account] = outcome

    def is_overdue(self, account: str) -> bool:
        """Returns whether another worker leaves the account alone: it may not have been polled for a while."""
        return account in self._overdue

    def cannot_poll(self, account: str) -> bool:
        """Returns whether requests for an account that this worker holds fail at present."""
        return account in self._since

    def _probe_due(self, account: str) -> float:
        probes = self._probes.get(account, _Probes())
        is_polled_by_nobody = account in self._given and account in self._overdue
        return probes.at + (min(probes.pause, OFTEN) if is_polled_by_nobody else probes.pause)
