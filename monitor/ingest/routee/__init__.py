"""The client of Routee's API: requests, the wire format, and tolerant decoders of answers."""
