"""What is shown of an address."""

from urllib.parse import urlsplit


def origin(url: str) -> str:
    """Returns the only part of a URL that is ever shown: ``https://example.org``, with the port if it has one."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        shown = f"[{host}]" if ":" in host else host
        return f"{parts.scheme}://{shown}" + (f":{parts.port}" if host and parts.port is not None else "")
    except ValueError:
        return "an unreadable URL"
