"""The kind ``absence``: a group that was active falls silent, for a fixed time or for longer than its own rhythm allows."""
