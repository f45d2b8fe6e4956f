"""A page of Routee's: the list of records, and what it says of itself."""

from typing import Generic, TypeVar

import msgspec

Record = TypeVar("Record")


class Envelope(msgspec.Struct, Generic[Record], gc=False):
    """A page as decoded: its records, and other values whose types are not checked yet."""

    content: list[Record]
    number: object = None
    totalElements: object = None  # noqa: N815 - Routee's name, as all here
    totalPages: object = None  # noqa: N815 - as above
    last: object = None
