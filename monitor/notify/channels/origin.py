"""What is shown of an address."""

from urllib.parse import urlsplit


def origin(url: str) -> str:
    """Returns the only part of a URL that is ever shown: ``https://example.org``."""
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.hostname or ''}"
    except ValueError:
        return "an unreadable URL"
