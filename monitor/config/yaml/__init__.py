"""Turns YAML files into models, or into a list of all their problems."""

from monitor.config.yaml.model import FieldProblem, NestedProblems, ValidationContext, YamlModel, notes_of, secret_files
from monitor.config.yaml.secret_file import locate
from monitor.config.yaml.sentences import MISSING, kind_of
from monitor.config.yaml.types import (
    AnyText,
    Flag,
    Name,
    Number,
    Period,
    PeriodOrZero,
    Secret,
    SecretUrl,
    Text,
    Url,
    WholeNumber,
    clear_host,
    host_only,
    is_loopback,
)
from monitor.config.yaml.validation import problems_of, validate, value_at
from monitor.config.yaml.words import near_miss, nearest, suggest
from monitor.config.yaml.zone import Zone

__all__ = [
    "MISSING",
    "AnyText",
    "FieldProblem",
    "Flag",
    "Name",
    "NestedProblems",
    "Number",
    "Period",
    "PeriodOrZero",
    "Secret",
    "SecretUrl",
    "Text",
    "Url",
    "ValidationContext",
    "WholeNumber",
    "YamlModel",
    "Zone",
    "clear_host",
    "host_only",
    "is_loopback",
    "kind_of",
    "locate",
    "near_miss",
    "nearest",
    "notes_of",
    "problems_of",
    "secret_files",
    "suggest",
    "validate",
    "value_at",
]
