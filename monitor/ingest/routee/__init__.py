"""Everything that knows Routee: its client, its wire format and a local stand-in."""
