"""What a window has that the store does not have yet."""

from collections.abc import Iterator, Sequence

from monitor.model.journal_sum import JournalSum
from monitor.runtime.dataclass import dataclass
from monitor.window.journal import Rewritten


@dataclass(frozen=True, slots=True)
class Unsaved:
    """The data that the store does not have yet: a journal entry, new texts by dictionary with the code of the first, and the dictionaries' sizes."""

    entry: Rewritten
    texts: dict[str, tuple[int, Sequence[str]]]
    sizes: dict[str, int]

    @property
    def entries(self) -> Iterator[tuple[str, int, str]]:
        """Yields the new dictionary entries (field, code, text)."""
        return (
            (name, code, text) for name, (first, texts) in self.texts.items() for code, text in enumerate(texts, first)
        )

    @property
    def blob(self) -> bytes | None:
        """Returns the encoded journal entry; None if no row changed."""
        return self.entry.blob

    @property
    def cleaned(self) -> list[int]:
        """Returns the numbers of old journal entries to delete in the same commit."""
        return self.entry.cleaned

    @property
    def sum(self) -> JournalSum:
        """Returns the sum of the journal's entries once it is committed."""
        return self.entry.sum

    @property
    def count(self) -> int:
        """Returns how many rows the journal entry has."""
        return len(self.entry.rows) + len(self.entry.freed)
