"""Apprise: any of the services that the library supports."""
