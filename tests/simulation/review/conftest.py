"""What the tests here have in common."""

from tests.fakes.log_as_it_was import _log_as_it_was

__all__ = ["_log_as_it_was"]
