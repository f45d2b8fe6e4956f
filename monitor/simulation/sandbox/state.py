"""The sandbox's state: messages, the time that passes for them, incidents and faults. Pure and synchronous; the server calls it."""

from collections import Counter
from dataclasses import replace
from typing import Any, Final

import numpy as np

from monitor.runtime.clock import HOUR, SECOND, Clock, Duration, Instant, parse_iso
from monitor.simulation.sandbox import incidents
from monitor.simulation.sandbox.account import Credentials, SandboxAccount
from monitor.simulation.sandbox.campaigns import BLOCK
from monitor.simulation.sandbox.encode import Form, encode
from monitor.simulation.sandbox.faults import Fault, Faults, Value
from monitor.simulation.sandbox.ids import Ids
from monitor.simulation.sandbox.incidents import SandboxIncident
from monitor.simulation.sandbox.manual_messages import ManualMessages, Record
from monitor.simulation.sandbox.messages import NEVER, Ints, Messages, Rows
from monitor.simulation.sandbox.search import SearchRequest, SelectBy, Selector
from monitor.simulation.sandbox.tables import StatusOutcome, new_tables
from monitor.simulation.sandbox.traffic import Model, Traffic, blocks

TICK: Final = 10 * SECOND
"""The span in which live traffic is drawn (half an hour after a long pause), so that it does not depend on when it is requested."""

_REMEMBERED = 16
DEFAULT_CREDENTIALS: Final[Credentials] = ("sandbox", "sandbox-secret")


class Sandbox:
    """The whole state of a local Routee. Not for several threads.

    ``traffic`` is what arrives from now on (None for nothing, in exact tests and benchmarks). ``history`` is for how long it has been arriving
    already, of the same traffic or of the default one; ``messages`` is the exact number of messages in that history (about 1.1 parts each).
    ``select_by`` decides whether a search's range means the date of sending or of the present status. With ``wild``, some records are odd, as
    real ones are. ``token_life`` is that of access tokens. ``gzip`` compresses if the client accepts it.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        seed: int = 0,
        traffic: Traffic | None = None,
        history: Duration = 0,
        messages: int | None = None,
        select_by: SelectBy = "sent",
        wild: bool = False,
        credentials: Credentials = DEFAULT_CREDENTIALS,
        token_life: Duration = HOUR,
        gzip: bool = False,
    ) -> None:
        self.seed = seed
        self.known = new_tables()
        self.ids = Ids(seed)
        self.messages = Messages()
        self.account = SandboxAccount(credentials, seed, token_life=token_life)
        self.faults = Faults(seed)
        self.incidents: list[SandboxIncident] = []
        self.requests: Counter[str] = Counter()
        self.answers: Counter[int] = Counter()
        self.campaigns: dict[str, Record] = {}
        self.gzip = gzip
        self.spent = 0.0
        self.model = Model(seed, traffic or Traffic(), self.known, wild=wild)
        self._clock = clock
        self._live = traffic is not None
        self._selector = Selector(self.messages, self.known, self.ids, select_by)
        self._desk = ManualMessages(self.messages, self.known, self.ids)
        self._still_until: Instant | None = None
        self._selections: dict[SearchRequest, Ints] = {}
        self._drawn = clock.now() // TICK * TICK
        self._span = (self._drawn, self._drawn)
        self._coming = Rows.empty()
        self._backfill(history, messages)

    # time

    def now(self) -> Instant:
        """Returns the sandbox's present instant."""
        return self._clock.now()

    def advance(self) -> Instant:
        """Adds the traffic of the time that has passed; returns the present instant."""
        now = self._clock.now()
        while self._live and self._drawn <= now:
            block_end = self._drawn + BLOCK
            whole = self._drawn % BLOCK == 0 and now >= block_end
            self._take_in(self._coming)
            self._span = (self._drawn, block_end if whole else self._drawn + TICK)
            self._coming = self._draw()
            self._drawn = self._span[1]
        arrived = int(np.searchsorted(self._coming.created, now, "right"))
        if arrived:
            self._take_in(self._coming.take(slice(0, arrived)))
            self._coming = self._coming.take(slice(arrived, None))
        return now

    async def sleep(self, duration: Duration) -> None:
        """Waits, by the sandbox's clock."""
        await self._clock.sleep(duration)

    # what is there

    def changed(self, since: Instant, now: Instant) -> list[bytes]:
        """Returns, as JSON, the rows that have had their present status since an instant after ``since``, up to ``now``."""
        _, dates = self.messages.rows.present(now)
        visible = self.messages.rows.created <= now
        return self.encoded(np.flatnonzero((dates > since) & (dates <= now) & visible), now)

    def select(self, search: SearchRequest, now: Instant) -> Ints:
        """Returns the numbers of the rows that match a search, in the order of its pages; cached while nothing can have changed."""
        if self._live:
            return self._selector.select(search, now)
        if self._still_until is None or now >= self._still_until:
            self._selections.clear()
            self._still_until = self.messages.still_until(now)
        if search not in self._selections:
            if len(self._selections) >= _REMEMBERED:
                self._selections.pop(next(iter(self._selections)))
            self._selections[search] = self._selector.select(search, now)
        return self._selections[search]

    def parts_of(self, message_id: str, now: Instant) -> Ints:
        """Returns the numbers of one message's parts; none if it does not exist."""
        return self._selector.parts_of(message_id, now)

    def encoded(self, numbers: Ints, now: Instant, form: Form = "search") -> list[bytes]:
        """Returns rows as JSON."""
        return encode(self.messages, self.known, self.ids, numbers, now, form)

    def has_campaign(self, tracking_id: str) -> bool:
        """Returns whether a campaign with that tracking id is known."""
        return tracking_id in self.campaigns or bool(
            self.known.streams.where(lambda each: each.tracking_id == tracking_id).any()
        )

    def statuses(self, now: Instant, tracking_id: str | None = None) -> dict[str, int]:
        """Returns how many parts have each status, in all or of one campaign."""
        rows = self.messages.rows.take(self.select(SearchRequest(tracking_id=tracking_id), now))
        codes = np.bincount(rows.present(now)[0], minlength=len(self.known.outcomes.entries))
        counts: Counter[str] = Counter()
        for outcome, count in zip(self.known.outcomes.entries, codes.tolist(), strict=True):
            counts[outcome.status] += count
        return {status: count for status, count in counts.items() if count}

    @property
    def balance(self) -> float:
        """The account's balance, in euros."""
        return self.account.balance(self.spent)

    @balance.setter
    def balance(self, amount: float) -> None:
        self.account.set_balance(amount, self.spent)

    # by hand

    def put(self, record: Record, *, sent: Instant | None = None) -> str:
        """Adds a message (one part) that is served exactly as given: Routee's fields as a search names them, any of them missing.

        A record with the same smsId (or, without one, messageId and part) is replaced. ``sent`` is when it was sent, for ranges that select by
        sending; by default the date of its status. Returns the key to change it by.
        """
        self._changed()
        return self._desk.put(record, sent, self.advance())

    def change(
        self,
        sms_id: str,
        status: str,
        date: Instant | str | None = None,
        detailed_status: str | None = None,
        **others: Any,
    ) -> None:
        """Gives a message another status as of ``date`` (by default now); ``others`` are further fields of a message added by hand.

        Raises KeyError if the message does not exist.
        """
        now = self.advance()
        instant = parse_iso(date) if isinstance(date, str) else now if date is None else date
        described = (
            each for each in self.known.outcomes.entries if (each.status, each.detail) == (status, detailed_status)
        )
        self._desk.change(sms_id, next(described, StatusOutcome(status, detailed_status)), instant, others, now)
        self._changed()

    def put_campaign(self, tracking_id: str, record: Record) -> None:
        """Sets fields of a campaign's own state, which replace those that it has by itself."""
        self.campaigns[tracking_id] = record

    # what goes wrong

    def start_incident(
        self, kind: str, *, at: Duration = 0, for_: Duration | None = None, **what: Any
    ) -> SandboxIncident:
        """Starts an incident ``at`` from now, for ``for_`` or until it is ended. ``what``: see `incidents.SandboxIncident`. Raises ValueError."""
        now = self.advance()
        start = now + at
        end = NEVER if for_ is None else start + for_
        incident = incidents.new_incident(len(self.incidents) + 1, kind, start, end, what)
        incidents.check_place(incident, self.known)
        if incident.kind == "failing_campaign" and incident.campaign is None:
            campaign = incidents.failing_campaign(incident, self.seed, self.model.traffic.rate)
            self.model.launched.append(campaign)
            incident = replace(incident, campaign=campaign.stream.tracking_id)
        self.incidents.append(incident)
        self._draw_again(now)
        return incident

    def end_incident(self, number: int) -> SandboxIncident:
        """Ends an incident now. Raises KeyError if no incident has this number."""
        now = self.advance()
        for position, incident in enumerate(self.incidents):
            if incident.id == number:
                ended = replace(incident, end=min(incident.end, now), start=min(incident.start, now))
                self.incidents[position] = ended
                self._draw_again(now)
                return ended
        raise KeyError(f"There is no incident {number}")

    def fault(
        self,
        kind: str,
        *,
        count: int | None = None,
        for_: Duration | None = None,
        share: float = 1.0,
        endpoint: str | None = None,
        **options: Value,
    ) -> Fault:
        """Changes answers from now on: the next ``count``, or for ``for_``, or until `faults.end`; faults.py lists kinds and options."""
        until = None if for_ is None else self.now() + for_
        return self.faults.add(kind, count=count, until=until, share=share, endpoint=endpoint, **options)

    # inside

    def _backfill(self, history: Duration, count: int | None) -> None:
        spans = blocks(self._drawn - history // TICK * TICK, self._drawn) if history else []
        counts: list[int | None] = [None] * len(spans)
        if count is not None and spans:
            weights = np.array([self.model.expected(start, start + length).sum() for start, length in spans])
            counts = np.random.default_rng((self.seed, 6)).multinomial(count, weights / weights.sum()).tolist()
        for (start, length), each in zip(spans, counts, strict=True):
            self._take_in(self.model.draw(start, start + length, each))

    def _draw(self) -> Rows:
        """Returns the traffic of the current span, as the incidents change it."""
        return incidents.apply(self.incidents, self.model.draw(*self._span), self.known, self.seed)

    def _draw_again(self, now: Instant) -> None:
        """Applies incidents that were started or ended to traffic that was drawn but has not arrived."""
        if self._live:
            rows = self._draw()
            self._coming = rows.take(rows.created > now)

    def _take_in(self, rows: Rows) -> None:
        prices = np.array([route.price or 0.0 for route in self.known.routes.entries])
        self.spent += float(prices[rows.route].sum())
        self.messages.append(rows)
        self._changed()

    def _changed(self) -> None:
        self._still_until = None
