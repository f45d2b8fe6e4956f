"""What the comparison with Prometheus asks, and the traffic it asks about: the same each second, so that every window has the same shares."""

from dataclasses import dataclass
from typing import Final

BAD_EVERY: Final = 100
"""Each hundredth group is bad: the only ones over the thresholds."""
MESSAGES: Final = 5
"""Messages of each group in a second."""
FAILED_BAD: Final = 3
FAILED_GOOD: Final = 1


@dataclass(frozen=True)
class ShareRule:
    """One rule: the share of failed messages within ``window`` seconds is above ``above`` percent."""

    name: str
    window: int
    above: int


@dataclass(frozen=True)
class Scale:
    """How much is asked: ``rules`` rules over ``groups`` groups; evaluated every ``every`` seconds; ``shortest`` is the shortest window."""

    rules: int
    groups: int
    shortest: int
    every: int

    @property
    def longest(self) -> int:
        """The longest window, in seconds."""
        return self.shortest + self.rules - 1


FULL: Final = Scale(rules=50, groups=1_000, shortest=11, every=5)
QUICK: Final = Scale(rules=10, groups=100, shortest=4, every=1)


def share_rules(scale: Scale) -> list[ShareRule]:
    """Returns rules of different windows, with thresholds that only the bad groups exceed."""
    return [ShareRule(f"Share{i}", scale.shortest + i, 30 + i % 20) for i in range(scale.rules)]


def group_names(scale: Scale) -> list[str]:
    """Returns the groups' names."""
    return [f"g{i:04}" for i in range(scale.groups)]


def failed(position: int) -> int:
    """Returns how many messages of a group fail in a second."""
    return FAILED_BAD if position % BAD_EVERY == 0 else FAILED_GOOD


def expected(scale: Scale) -> set[tuple[str, str]]:
    """Returns the alerts: each rule for each bad group."""
    bad = [name for position, name in enumerate(group_names(scale)) if position % BAD_EVERY == 0]
    return {(rule.name, name) for rule in share_rules(scale) for name in bad}
