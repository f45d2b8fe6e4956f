"""The names of groups, remembered from one judgement of a rule to the next."""

from monitor.alerts.kinds.result import RuleResult

Group = tuple[tuple[str, str], ...]


class Names:
    """Groups by their codes. Codes keep their meaning only until the window renumbers its profiles."""

    def __init__(self) -> None:
        self._means: object = None
        self._groups: dict[int, Group] = {}

    def begin(self, rule_result: RuleResult) -> bool:
        """Get ready for the codes of this judgement; False: codes of earlier ones mean something else now."""
        means = meaning(rule_result)
        if means is not None and means is self._means:
            return True
        self._means = means
        self._groups.clear()
        return False

    def group(self, rule_result: RuleResult, at: int) -> Group:
        """The group at a place of the judgement."""
        code = int(rule_result.codes[at])
        known = self._groups.get(code)
        if known is None:
            known = self._groups[code] = rule_result.group(at)
        return known


def meaning(rule_result: RuleResult) -> object:
    """What stays the same thing as long as codes mean the same; None where they never do (recipients are numbered anew by each reading)."""
    return None if "to" in rule_result.by else rule_result.reading.window.facets
