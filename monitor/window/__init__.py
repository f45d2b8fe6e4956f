"""The latest state of each message, in columns in memory."""

from monitor.window.blob import Unreadable
from monitor.window.facets import Codes
from monitor.window.reading import Question, Reading, Tally
from monitor.window.standing import Carried, Standing
from monitor.window.window import Unsaved, Window

__all__ = ["Carried", "Codes", "Question", "Reading", "Standing", "Tally", "Unreadable", "Unsaved", "Window"]
