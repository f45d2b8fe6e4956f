"""Persistent state: one protocol, and one module for each database."""
