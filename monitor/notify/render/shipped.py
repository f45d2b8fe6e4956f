"""The templates that come with the program."""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from monitor.config.monitor.services import SERVICES, TEMPLATES


@lru_cache(maxsize=1)
def shipped() -> Mapping[str, str]:
    """Their texts by their full names (``pagerduty.json.j2``)."""
    texts = {service.template: (TEMPLATES / service.template).read_text("utf-8") for service in SERVICES.values()}
    return MappingProxyType(texts)
