"""The span of time that a rule is judged on."""

from monitor.runtime.clock import Instant

Span = tuple[Instant, Instant]
"""As of when a rule is evaluated, and since when no message is missing."""
