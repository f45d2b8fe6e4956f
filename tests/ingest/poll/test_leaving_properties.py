"""Whatever is sent and changes, whenever it is polled: a search has what Routee would return for it, and nobody else knows more.

The oracle asks the local Routee for all messages, filtered by itself. At rest the window says the same; at no time has a message left a
search that it has fitted all along.
"""

import random
from dataclasses import dataclass, field

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from monitor.runtime.clock import HOUR, MINUTE, SECOND, Duration
from tests.fakes.rounds import rounds
from tests.fakes.watched import Watched, watched

NEXT = {"Queued": ["Sent", "Delivered"], "Sent": ["Delivered", "Undelivered", "Failed"]}
SEARCHES = {
    "queued": ("{field: status, is: Queued}", lambda row: row["status"] == "Queued"),
    "sent": ("{field: status, is: Sent}", lambda row: row["status"] == "Sent"),
    "open": ("{field: status, is_not: Delivered}", lambda row: row["status"] != "Delivered"),
    "liver": ("{field: status, contains: liver}", lambda row: "liver" in row["status"]),
    "promo": ("{field: label, is: promo}", lambda row: row["label"] == "promo"),
    "both": (
        "{field: label, is: promo}, {field: status, is: Sent}",
        lambda row: row["label"] == "promo" and row["status"] == "Sent",
    ),
    "everything": ("", lambda row: True),
}
RESWEEP = "resweep: [{back: 5m, every: 30s}, {back: 1h, every: 2m}, {back: 2d, every: 5m}]"


@dataclass
class Life:
    """Messages that are sent and move on. ``fitting`` are those that each search has had, and that have fitted it ever since."""

    names: list[str]
    random: random.Random
    rows: dict[str, dict[str, str]] = field(default_factory=dict)
    had: dict[str, set[str]] = field(default_factory=dict)
    one: Watched = field(init=False)

    def begin(self, one: Watched) -> None:
        """Some messages of the past day."""
        self.one = one
        for _ in range(self.random.randrange(30)):
            self.send(20 * HOUR)

    def send(self, longest: Duration = 0) -> None:
        label, status = self.random.choice(["promo", "news"]), self.random.choice(["Queued", "Sent", "Delivered"])
        ago = SECOND + self.random.randrange(longest + 1)
        [key] = self.one.put(1, status, ago, label=label)
        message = self.one.sandbox.messages.exact[len(self.one.sandbox.messages) - 1]["messageId"]
        self.rows[key] = {"label": label, "status": status, "message": str(message)}

    def change(self) -> None:
        """Something happens now, or just did."""
        going = [key for key, row in self.rows.items() if row["status"] in NEXT]
        if not going or self.random.random() < 0.4:
            self.send()
            return
        key = self.random.choice(going)
        status = self.random.choice(NEXT[self.rows[key]["status"]])
        self.rows[key]["status"] = status
        self.one.change([key], status, 0)
        self.see()

    def see(self) -> None:
        """Nothing that has fitted a search since that had it has left it."""
        for name in self.names:
            fits, found = SEARCHES[name][1], self.one.messages(name)
            fitting = {row["message"] for row in self.rows.values() if fits(row)}
            lost = (self.had.get(name, set()) & fitting) - found.keys()
            assert not lost, (name, lost)
            self.had[name] = (self.had.get(name, set()) & fitting) | (found.keys() & fitting)

    def rest(self) -> None:
        """At rest the window says what Routee says."""
        seen: set[str] = set()
        for name in self.names:
            fits = SEARCHES[name][1]
            wanted = {row["message"]: row["status"] for row in self.rows.values() if fits(row)}
            assert self.one.messages(name) == wanted, name
            seen |= wanted.keys()
        for message, status in self.one.messages().items():
            assert (status == "unknown") == (message not in seen)


@settings(max_examples=rounds(20, else_=8), deadline=None)
@given(
    seed=st.integers(0, 2**32),
    select_by=st.sampled_from(["sent", "status"]),
    names=st.lists(st.sampled_from(sorted(SEARCHES)), min_size=1, max_size=3, unique=True),
    latency=st.sampled_from([0.0, 0.4, 7.0]),
    page_size=st.sampled_from([7, 2000]),
    restarts=st.booleans(),
)
def test_a_search_has_what_routee_returns_for_it(
    seed: int, select_by: str, names: list[str], latency: float, page_size: int, restarts: bool
) -> None:
    async def run() -> None:
        lines = "\n".join(f"{{name: {name}, filters: [{SEARCHES[name][0]}], {RESWEEP}}}" for name in names)
        life = Life(names, random.Random(seed))
        async with watched(lines, page_size=page_size, before=life.begin, select_by=select_by) as one:
            for wire in one.wires.values():
                wire.latency = latency
            for _ in range(3):
                for _ in range(25):
                    await trio.sleep(life.random.choice([0.2, 1, 10, 30]))
                    life.change()
                    life.see()
                if restarts:
                    await one.restart()
                await one.pass_(12 * MINUTE)
                life.rest()

    trio.run(run, clock=MockClock(autojump_threshold=0))
