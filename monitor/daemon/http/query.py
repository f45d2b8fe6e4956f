"""Reads the query parameters that lists on pages share."""


def page_of(text: str | None, total: int, per_page: int) -> tuple[int, int, slice]:
    """Returns the number of the requested page (from 1), how many there are, and its part of a list of ``total`` rows.

    What is no number is the first page; a number that is too large is the last one.
    """
    pages = max(-(-total // per_page), 1)
    wanted = int(text) if text is not None and text.isascii() and text.isdecimal() and len(text) < 10 else 1
    page = min(max(wanted, 1), pages)
    return page, pages, slice((page - 1) * per_page, page * per_page)
