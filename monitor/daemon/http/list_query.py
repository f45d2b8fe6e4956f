"""What a page with a list is asked for: which part of it, and what it should contain."""

from typing import Final

from starlette.requests import Request

from monitor.runtime.dataclass import dataclass

MOST_TEXT: Final = 200
MOST_PAGES: Final = 100_000


@dataclass(frozen=True, slots=True)
class ListQuery:
    """``page`` counts from 1; ``text`` is what to find. What is no page number is the first page."""

    page: int
    text: str

    @classmethod
    def of(cls, request: Request) -> "ListQuery":
        """Returns what a request asks for."""
        page = request.query_params.get("page", "")
        number = int(page) if page.isascii() and page.isdecimal() and len(page) < 7 else 1
        return cls(min(max(number, 1), MOST_PAGES), request.query_params.get("q", "")[:MOST_TEXT].strip())

    @property
    def kept(self) -> dict[str, str]:
        """The parameters that links to other pages of the list keep."""
        return {"q": self.text} if self.text else {}

    def pages(self, rows: int, size: int) -> int:
        """Returns how many pages there are; at least one."""
        return max(-(-rows // size), 1)
