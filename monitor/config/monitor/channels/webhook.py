"""The model of a webhook channel, which posts to an address."""

import base64
from collections.abc import Iterable
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, SecretStr

from monitor.config.monitor.channels.model import ChannelModel, Timeout
from monitor.config.monitor.headers import Fields, Headers, Lines
from monitor.config.monitor.services import SERVICES, service_of
from monitor.config.yaml import FieldProblem, Secret, SecretUrl, Text, ValidationContext, WholeNumber
from monitor.config.yaml.unread_secret import MAY_BE_UNREAD
from monitor.runtime.clock import SECOND

_WITH_ADDRESS: Final = [name for one in SERVICES.values() if one.url for name in (one.name, one.template)]
_ADDRESS: Final[dict[str, Any]] = {
    "required": [],
    "allOf": [
        {"not": {"required": ["url", "url_file"]}},
        {
            "anyOf": [
                {"required": ["url"]},
                {"required": ["url_file"]},
                {"required": ["template"], "properties": {"template": {"enum": _WITH_ADDRESS}}},
            ]
        },
    ],
}
"""The schema's rule that a webhook needs an address, unless its template belongs to a service with one address for everybody."""


def _signing_key(secret: SecretStr) -> SecretStr:
    """Checks a signing key. Raises ValueError.

    Standard Webhooks writes base64 after ``whsec_``. Anything else there would give another key than the reader of the signature has.
    """
    prefix, text = "whsec_", secret.get_secret_value().strip()
    if text.startswith(prefix):
        bare = text.removeprefix(prefix).rstrip("=")
        try:
            key = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
        except ValueError:
            key = b""
        if len(key) < SHORTEST_KEY:
            raise ValueError(
                f"begins with whsec_, but is not base64 of at least {SHORTEST_KEY} bytes behind it: "
                "`head -c 32 /dev/urandom | base64 | sed 's/^/whsec_/'` makes one"
            )
    return secret


SHORTEST_KEY: Final = 24
"""The minimum length of a key in bytes, according to Standard Webhooks."""
SigningKey = Annotated[Secret, AfterValidator(_signing_key), MAY_BE_UNREAD]


class Webhook(ChannelModel):
    """An address that gets Alertmanager's payload, or a template's, by POST."""

    kind = "webhook"
    listed = "Webhooks."
    secrets = ("url", "url_resolved", "secret", "headers", "fields")
    further_schema = _ADDRESS

    url: SecretUrl
    """Where to post; the templates of services that have one address for everybody know it."""
    url_file: Text | None = None
    """A file that holds the address."""
    url_resolved: SecretUrl | None = None
    """Where to post once all is over, in place of url; {episode} in it stands for the episode."""
    url_resolved_file: Text | None = None
    """A file that holds that address."""
    headers: Headers | None = None
    """Further headers of the request (Authorization: GenieKey …)."""
    headers_file: Text | None = None
    """A file that holds them, a line each: Name: value."""
    secret: SigningKey | None = None
    """The key of the signature, as Standard Webhooks say."""
    secret_file: Text | None = None
    """A file that holds the key."""
    template: Text | None = None
    """The template of the body, in place of Alertmanager's payload: a file's name, or a service (pagerduty)."""
    fields: Fields | None = None
    """Values that the template gets as fields (routing_key: …)."""
    fields_file: Text | None = None
    """A file that holds them, a line each: name: value."""
    content_type: Text | None = None
    """The body's content type; left out: application/json. A template's values are escaped for it."""
    timeout: Timeout = 10 * SECOND
    """How long one attempt may take."""
    max_alerts: Annotated[WholeNumber, Field(ge=0)] = 0
    """The most alerts in one payload, the others are only counted; 0: all."""
    at_once: Annotated[WholeNumber, Field(ge=1, le=32)] = 1
    """How many requests of different groups may run at a time. Raise it for receivers that answer slowly."""

    @classmethod
    def completed(cls, data: dict[str, Any], reading: ValidationContext) -> dict[str, Any]:
        """Adds the address of the template's service, and marks values from files as `Lines`."""
        service = service_of(data.get("template"))
        usual = {"url": service.url} if service is not None and service.url else {}
        of_files = [key for key in ("headers", "fields") if f"{key}_file" in data and isinstance(data.get(key), str)]
        return usual | data | {key: Lines(data[key]) for key in of_files}

    def check_values(self) -> Iterable[FieldProblem]:
        named = self.content_type or ""
        if not (named.isascii() and named.isprintable()):
            yield FieldProblem(("content_type",), "is not a content type; write it like application/json")
        if self.template is None and self.fields is not None:
            key = "fields_file" if self.fields_file else "fields"
            yield FieldProblem(
                (key,), "is for a template, and none is named; write template, or take this out", at_key=True
            )

    @property
    def resolve_url(self) -> SecretStr | None:
        """Returns where the end of an episode is posted if that differs from ``url``: as configured, else the service's own address."""
        service = service_of(self.template)
        if self.url_resolved is not None or service is None or not service.resolved:
            return self.url_resolved
        return SecretStr(self.url.get_secret_value().rstrip("/") + service.resolved)

    @property
    def keeps_alerts(self) -> bool:
        """Returns whether the receiver may keep alerts open: any may, except a chat, which people read."""
        service = service_of(self.template)
        return service is None or not service.is_chat
