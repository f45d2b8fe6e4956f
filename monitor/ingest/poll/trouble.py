"""Counts the failed tries of a search's requests since its last complete poll."""

import trio

from monitor.runtime.clock import Clock, Instant, iso


class Trouble:
    """The failures since the last complete poll: of each kind, how many tries failed and since when.

    ``told`` is not set while a poll is under way none of whose tries has failed.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._met: dict[str, tuple[int, Instant]] = {}
        self._last = ("", "")
        self._is_under_way = False
        self.told = trio.Event()
        self.told.set()

    def began(self) -> None:
        """Notes that a poll begins."""
        self.told = trio.Event()

    def met(self, outcome: str, sentence: str) -> None:
        """Counts a failed try: ``outcome`` is a short word for its kind (``503``, ``timeout``), ``sentence`` explains it to people."""
        tries, since = self._met.get(outcome, (0, self._clock.now()))
        self._met[outcome] = tries + 1, since
        self._last = outcome, sentence
        self._is_under_way = True
        self.told.set()

    def ended(self, outcome: str, sentence: str) -> None:
        """Notes that a poll failed. Counts a try unless the poll's last try had the same reason and was counted already."""
        if not self._is_under_way or not sentence.startswith(self._last[1]):
            self.met(outcome, sentence)
        self._is_under_way = False
        self.told.set()

    def over(self) -> None:
        """Records a complete poll, which clears all troubles."""
        self._met.clear()
        self._is_under_way = False
        self.told.set()

    @property
    def sentence(self) -> str:
        """Returns the latest failure without its number of tries; empty without one."""
        return self._last[1] if self._met else ""

    def __str__(self) -> str:
        """Returns the latest failure, ``503 from Routee, 6 tries since 10:02 UTC``; empty without one."""
        if not self._met:
            return ""
        outcome, sentence = self._last
        tries, since = self._met[outcome]
        if outcome == "store":
            sentence = f"what is read cannot be stored: {sentence}"
        counted = f"{tries} {'try' if tries == 1 else 'tries'} since {self._short(since)} UTC"
        return f"{outcome} from Routee, {counted}" if outcome.startswith("5") else f"{sentence} ({counted})"

    def _short(self, since: Instant) -> str:
        """Returns the time of day, with the date if it is not today."""
        day, _, time = iso(since)[:16].partition("T")
        return time if iso(self._clock.now()).startswith(day) else f"{day} {time}"
