"""Finds the alert that a person names by a fingerprint.

An alert has two: its own, of its account, rule and group, which stays the same while its severity changes (`monitor.model.alert.fingerprint`),
and that of its labels, by which Alertmanager's API, its tools and webhooks know it (`monitor.model.label_fingerprint`). Either of them names it,
and so do the first characters of either, if no other alert's fingerprint begins with them.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from monitor.runtime.errors import AmbiguousName

SHORTEST: Final = 4
"""The fewest characters that may stand for a fingerprint."""
_MOST_NAMED: Final = 5


LONGEST: Final = 16
"""The characters of a whole fingerprint."""
_FINGERPRINT: Final = re.compile(f"[0-9a-f]{{{SHORTEST},{LONGEST}}}")


def is_fingerprint(text: str) -> bool:
    """Returns whether the text can be a fingerprint or the beginning of one."""
    return _FINGERPRINT.fullmatch(text) is not None


class NamedAlert(NamedTuple):
    """An alert: its own fingerprint, that of its labels, and its labels."""

    own: str
    of_labels: str
    labels: Mapping[str, str]

    @property
    def fingerprints(self) -> tuple[str, str]:
        """Both fingerprints."""
        return self.own, self.of_labels

    def beginning_with(self, text: str) -> str:
        """Returns the fingerprint that begins with ``text``, its own first; empty if none does."""
        return next((one for one in self.fingerprints if one.startswith(text)), "")


def alert_named(text: str, alerts: Iterable[NamedAlert]) -> NamedAlert | None:
    """Returns the alert with a fingerprint that is ``text``, else the only one with a fingerprint that begins with it; None if there is none.

    Raises AmbiguousName if several begin with it.
    """
    found: dict[str, NamedAlert] = {}
    for one in alerts:
        if text in one.fingerprints:
            return one
        if len(text) >= SHORTEST and one.beginning_with(text):
            found[one.own or one.of_labels] = one  # it may be there several times, with other labels
    if len(found) > 1:
        raise AmbiguousName(_several(text, list(found.values())))
    return next(iter(found.values()), None)


def _several(text: str, found: list[NamedAlert]) -> str:
    named = [f"{one.beginning_with(text)} ({_words(one.labels)})" for one in found[:_MOST_NAMED]]
    more = [f"{len(found) - _MOST_NAMED} more"] if len(found) > _MOST_NAMED else []
    return f"the fingerprints of {len(found)} alerts begin with {text}; write more of it: {', '.join(named + more)}"


def _words(labels: Mapping[str, str]) -> str:
    group = (f"{name}={value}" for name, value in labels.items() if name not in ("alertname", "severity"))
    return " ".join(filter(None, (labels.get("alertname", ""), *group)))
