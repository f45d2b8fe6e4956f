"""The latest state of each message, in columns in memory."""

from monitor.window.codec import Unreadable
from monitor.window.incremental_counts import Carried, Standing
from monitor.window.profile_index import Codes
from monitor.window.query import Question, Reading, Tally
from monitor.window.window import Unsaved, Window

__all__ = ["Carried", "Codes", "Question", "Reading", "Standing", "Tally", "Unreadable", "Unsaved", "Window"]
