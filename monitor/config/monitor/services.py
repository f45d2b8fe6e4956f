"""Services whose request bodies come with the program: what the template of each needs, and where the service is."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

TEMPLATES: Final = Path(__file__).parent / "templates"
"""Where the templates are: ``NAME.json.j2``."""

SUFFIX: Final = ".json.j2"
"""What a template's name has behind the service's."""


@dataclass(frozen=True, slots=True)
class Service:
    """One service.

    ``url`` is its address where it has one for everybody; ``resolved`` is put behind the address once all of an episode is over
    (``{episode}`` in it stands for the episode). ``fields`` a person has to write, ``optional`` ones may be written;
    ``headers`` have to be written too, each with how its value looks.
    """

    name: str
    url: str = ""
    resolved: str = ""
    fields: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    is_chat: bool = False
    """Whether people read it there; else it keeps the alert until it gets its end."""

    @property
    def template(self) -> str:
        """The full name of its template."""
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
"""Every one of them by its name, which is also the short name of its template."""


def service_of(template: object) -> Service | None:
    """The service whose template is meant by ``pagerduty`` or ``pagerduty.json.j2``; None for any other template."""
    return SERVICES.get(template.removesuffix(SUFFIX)) if isinstance(template, str) else None
