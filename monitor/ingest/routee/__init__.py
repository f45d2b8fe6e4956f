"""Routee's API: the client, the wire format and the tolerant readers of answers."""
