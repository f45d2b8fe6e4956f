"""The listener: health, metrics and a page for people, on one address."""
