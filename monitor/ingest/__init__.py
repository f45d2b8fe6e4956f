"""From Routee's answers to batches of messages."""
