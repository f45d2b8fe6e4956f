"""Begins to open the store of a configuration."""

from monitor.config.monitor import Config
from monitor.runtime.clock import Instant
from monitor.store.opening import StoreOpening


def begin_opening(config: Config, now: Instant) -> StoreOpening:
    """Opens the store in a thread from now on: it is there, or its error, when the daemon asks for it."""
    url, port = ("", 0) if config.web is None else (config.web.own_url, config.web.port)
    return StoreOpening(config.store_location, now, url, port)
