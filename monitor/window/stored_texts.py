"""Reads the texts of a window's dictionaries from the store, and checks that none is missing."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter

from monitor.window.codec import UnreadableBlob
from monitor.window.columns import Columns
from monitor.window.dictionary import Dictionary
from monitor.window.profiles import PROFILED


def restore_entries(dictionaries: Mapping[str, Dictionary], entries: Iterable[tuple[str, int, str]]) -> None:
    """Adds the stored dictionary entries (field, code, text), or the next ones of them, codes ascending within a field. Raises UnreadableBlob if
    there are not all of them: each text behind a missing one would be taken for another."""
    found: dict[str, tuple[list[int], list[str]]] = {}
    for name, some_entries in groupby(entries, itemgetter(0)):
        codes, texts = found.setdefault(name, ([], []))
        for _, code, text in some_entries:
            codes.append(code)
            texts.append(text)
    for name, (codes, texts) in found.items():
        if codes != list(range(codes[0], codes[0] + len(codes))):
            raise UnreadableBlob(f"texts of {name} are missing")
        restore_texts(dictionaries, name, texts, codes[-1])


def restore_texts(dictionaries: Mapping[str, Dictionary], field: str, texts: Sequence[str], last: int) -> None:
    """Adds stored dictionary entries of a field, or the next ones of them, ascending by their codes up to ``last``. Raises UnreadableBlob as
    `restore_entries` does."""
    dictionary = dictionaries.get(field)
    if dictionary is None:
        raise UnreadableBlob(f"it has texts of {field!r}, which no message has")
    count = len(dictionary) + len(texts)
    if last != count - 1:
        raise UnreadableBlob(f"texts of {field} are missing")
    dictionary.restore(texts)
    if len(dictionary) != count:
        raise UnreadableBlob(f"texts of {field} occur twice")


def check_texts(columns: Columns, dictionaries: Mapping[str, Dictionary]) -> None:
    """Checks that each code of the columns has a text. Raises UnreadableBlob."""
    profiles = columns.profiles
    codes = {name: profiles[name][: profiles.length] for name in PROFILED}
    codes["recipient"] = columns["recipient"][: columns.length][columns["kind"][: columns.length] > 0]
    for name, some in codes.items():
        if some.size and int(some.max()) >= len(dictionaries[name]):
            raise UnreadableBlob(f"texts of {name} are missing")
