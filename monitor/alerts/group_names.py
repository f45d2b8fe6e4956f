"""Remembers the names of a rule's groups from one evaluation to the next."""

from monitor.alerts.kinds.result import RuleResult

Group = tuple[tuple[str, str], ...]


class Names:
    """Groups by their codes. A code keeps its meaning only until the window renumbers its profiles."""

    def __init__(self) -> None:
        self._means: object = None
        self._groups: dict[int, Group] = {}

    def begin(self, rule_result: RuleResult) -> bool:
        """Prepares for the codes of this result; returns False if earlier codes have another meaning now."""
        means = meaning(rule_result)
        if means is not None and means is self._means:
            return True
        self._means = means
        self._groups.clear()
        return False

    def group(self, rule_result: RuleResult, at: int) -> Group:
        """Returns the group at a position of the result."""
        code = int(rule_result.codes[at])
        known = self._groups.get(code)
        if known is None:
            known = self._groups[code] = rule_result.group(at)
        return known


def meaning(rule_result: RuleResult) -> object:
    """See `RuleResult.means`."""
    return rule_result.means
