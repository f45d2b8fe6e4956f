"""The latest state of each message, in NumPy columns in memory, and queries over it."""

from monitor.window.codec import UnreadableBlob
from monitor.window.incremental_counts import IncrementalCounts
from monitor.window.profile_index import Codes
from monitor.window.query import GroupCounts, Query, WindowReader
from monitor.window.relative_query import RelativeQuery
from monitor.window.unsaved import Unsaved
from monitor.window.window import Window

__all__ = [
    "Codes",
    "GroupCounts",
    "IncrementalCounts",
    "Query",
    "RelativeQuery",
    "UnreadableBlob",
    "Unsaved",
    "Window",
    "WindowReader",
]
