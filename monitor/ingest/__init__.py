"""Polls Routee's API and turns its answers into batches of messages."""
