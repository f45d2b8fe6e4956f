"""Which alerts of several rules belong together: they are of one incident, and people get one notification of it."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from monitor.config.yaml import FieldProblem, Name, YamlModel, suggest
from monitor.model.message import CODED_FIELDS


def _field(name: str) -> str:
    if name not in CODED_FIELDS:
        raise ValueError(f"incidents cannot be told apart by {name!r}{suggest(name, CODED_FIELDS)}")
    return name


_Field = Annotated[str, AfterValidator(_field), WithJsonSchema({"enum": list(CODED_FIELDS)})]


class IncidentGrouping(YamlModel):
    """How the alerts of a rule are grouped into incidents with those of other rules."""

    name: Name = "delivery"
    """Alerts of rules with the same name can be of one incident; those of others never are."""
    by: tuple[_Field, ...] = ("country",)
    """Alerts with different values of these fields are of different incidents; empty: all are of one."""

    @property
    def words(self) -> str:
        """``delivery, by country``."""
        return f"{self.name}, by {', '.join(self.by)}" if self.by else f"{self.name}, all together"

    def check_values(self) -> Iterable[FieldProblem]:
        for index, name in enumerate(self.by):
            if name in self.by[:index]:
                yield FieldProblem(("by", index), f"{name!r} is listed twice")
