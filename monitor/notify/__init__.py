"""Sends notifications to receivers: the outbox, the rendering of texts, and the channels."""
