"""From a notification to a receiver: the outbox, the text, the channels."""
