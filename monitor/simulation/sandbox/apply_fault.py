"""Applies the active faults to an answer: another status, another body, another page, or another behaviour of the connection."""

from dataclasses import replace
from typing import Any

import msgspec

from monitor.runtime.dataclass import dataclass
from monitor.simulation.sandbox.faults import Fault
from monitor.simulation.sandbox.http import AnswerTiming, SandboxAnswer, failure

_PAGE_OF_A_PROXY = b"<html><head><title>%d</title></head><body><center><h1>%d</h1></center><hr>proxy</body></html>"
_MESSAGES = {
    403: "Not allowed",
    404: "The account was not found",
    429: "Too many requests",
    503: "Not available at present",
}
_CODES = {404: "404001001"}


@dataclass(frozen=True, slots=True)
class Paging:
    """The position of a page: ``total`` elements in all, at most ``held`` on a page, ``shift`` by which elements have moved."""

    page: int
    size: int
    total: int
    held: int = 0
    shift: int = 0

    def spoiled(self, faults: list[Fault]) -> "Paging":
        """Returns the page as the faults change it."""
        held, shift = self.size, 0
        for fault in faults:
            if fault.kind == "short_pages":
                held = max(min(held, int(fault.number("items"))), 1)
            if fault.kind == "page_drift" and self.page > 0:
                shift += int(fault.number("shift"))
        return replace(self, held=held, shift=shift, total=max(self.total + shift, 0))

    @property
    def offset(self) -> int:
        """The index of the page's first element."""
        return max(self.page * self.held - self.shift, 0)

    @property
    def pages(self) -> int:
        """The number of pages."""
        return -(-self.total // self.held)

    @property
    def last(self) -> bool:
        """Whether no page follows."""
        return (self.page + 1) * self.held >= self.total


def error(faults: list[Fault]) -> SandboxAnswer | None:
    """Returns the error to answer with; None if no fault is an error."""
    for fault in faults:
        if fault.kind == "html":
            status = int(fault.number("status"))
            return SandboxAnswer(status, _PAGE_OF_A_PROXY % (status, status), {"Content-Type": "text/html"})
        if fault.kind == "status":
            return _status(fault)
    return None


def body(answer: SandboxAnswer, faults: list[Fault]) -> SandboxAnswer:
    """Returns the answer with its body changed by the faults."""
    for fault in faults:
        if fault.kind == "truncated":
            answer = replace(answer, body=answer.body[: int(len(answer.body) * fault.number("at"))])
        if fault.kind == "wrong_types" and answer.status == 200:
            content = _mistyped(msgspec.json.decode(answer.body), str(fault.options["where"]))
            answer = replace(answer, body=msgspec.json.encode(content))
    return answer


def answer_timing(faults: list[Fault]) -> AnswerTiming:
    """Returns how the answer is sent over the connection."""
    on_wire = AnswerTiming()
    for fault in faults:
        if fault.kind == "delay":
            on_wire = replace(on_wire, delay=on_wire.delay + fault.number("seconds"))
        if fault.kind == "drip":
            on_wire = replace(on_wire, piece=max(int(fault.number("bytes")), 1), pause=fault.number("seconds"))
        if fault.kind == "cut":
            on_wire = replace(on_wire, cut=fault.number("at"))
    return on_wire


def _status(fault: Fault) -> SandboxAnswer:
    status = int(fault.number("status"))
    again = fault.options["retry_after"]
    headers = {} if again is None else {"Retry-After": str(again)}
    code = fault.options["code"] or _CODES.get(status, f"{status}000000")
    return failure(status, str(code), _MESSAGES.get(status, "Something went wrong"), headers)


def _mistyped(content: Any, where: str) -> Any:
    """Returns the content with wrong types: in its first records, or in the page around them."""
    if where == "page" or not isinstance(content, dict | list):
        return {"content": {"0": "no list"}, "totalElements": "many", "last": "maybe"}
    records = content if isinstance(content, list) else content.get("content")
    if not isinstance(records, list):
        return {name: [value] for name, value in content.items()} if isinstance(content, dict) else content
    records[:4] = [_mistyped_record(record, position) for position, record in enumerate(records[:4])]
    return content


def _mistyped_record(record: Any, position: int) -> Any:
    """Returns a record that is unreadable in one of four ways."""
    ways = ({"status": "Delivered"}, {"status": {"status": "Delivered", "date": 17}}, {"messageId": ["no", "text"]})
    return record | ways[position] if position < len(ways) else None
