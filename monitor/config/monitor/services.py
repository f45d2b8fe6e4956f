"""Services whose templates come with the program: the address of each, and what its template needs."""

from pathlib import Path
from typing import Final

from monitor.runtime.dataclass import dataclass

TEMPLATES: Final = Path(__file__).parent / "templates"
"""The folder of the templates, ``NAME.json.j2``."""

SUFFIX: Final = ".json.j2"
"""The end of a template's name, after the service's name."""


@dataclass(frozen=True, slots=True)
class Service:
    """One service.

    ``url`` is its address if it has one for everybody. ``resolved`` is appended to the address for the end of an episode; ``{episode}`` in it
    stands for the episode. A person must write ``fields`` and ``headers`` (each with the form of its value), and may write ``optional`` ones.
    """

    name: str
    url: str = ""
    resolved: str = ""
    fields: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    is_chat: bool = False
    """Whether people read the messages there; otherwise the service keeps an alert until it gets its end."""

    @property
    def template(self) -> str:
        """Returns the full name of its template."""
        return self.name + SUFFIX


SERVICES: Final[dict[str, Service]] = {
    service.name: service
    for service in (
        Service("pagerduty", "https://events.pagerduty.com/v2/enqueue", fields=("routing_key",), optional=("source",)),
        Service(
            "opsgenie",
            "https://api.opsgenie.com/v2/alerts",
            resolved="/{episode}/close?identifierType=alias",
            headers=(("Authorization", "GenieKey KEY"),),
        ),
        Service("teams", is_chat=True),
        Service("discord", optional=("username",), is_chat=True),
        Service("telegram", fields=("chat_id",), optional=("message_thread_id",), is_chat=True),
    )
}
"""The services by name, which is also the short name of the template."""


def service_of(template: object) -> Service | None:
    """Returns the service that the template ``pagerduty`` or ``pagerduty.json.j2`` belongs to; None for any other template."""
    return SERVICES.get(template.removesuffix(SUFFIX)) if isinstance(template, str) else None
