"""Puts what can be read of a damaged file into a new one, and the new one in its place.

The new file is made and closed beside the damaged one, which stays until then as it is: a daemon that is killed meanwhile begins again. Only
then the damaged one is renamed, and the new one takes its name. Killed between these two, the daemon finds no store but a new one beside it, and
goes on from there.
"""

import logging
import os
from contextlib import closing
from pathlib import Path
from typing import Final

from monitor.runtime.clock import SECOND, Instant, iso
from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import StoreError
from monitor.store.salvage import Salvage, salvage, without_messages
from monitor.store.sqlite import open_sqlite
from monitor.store.sqlite_file import beside

log = logging.getLogger("monitor")

NEW: Final = ".recovered"
"""Ends the name of the file that is to take the damaged one's place, once it is complete."""
_UNFINISHED: Final = ".recovering"
_ASIDE: Final = ".corrupt-"
_LOG: Final = "-wal"
_INDEX: Final = "-shm"


@dataclass(frozen=True, slots=True)
class DamageReport:
    """A report on a damaged store: the reason, its new path, and the recovered rows. ``str()`` is a sentence for people."""

    why: str
    moved_to: Path
    kept: Salvage

    def __str__(self) -> str:
        count = self.kept.count
        text = (
            f"{self.why.partition(';')[0]}; it was set aside as {self.moved_to}, and a new one begun with what could be read: "
            f"{count('alert')} alerts, {count('alert_group')} groups, {count('silence')} silences, {count('parcel')} "
            "notifications; messages that rules look at are fetched from Routee again, and until then none of their alerts is reported as resolved"
        )
        if "alert_group" in self.kept.incomplete:
            text += (
                "; for some alerts it is no longer known who was notified: receivers are notified again of those that fire, "
                "and are not notified when others resolve"
            )
        if "alert" in self.kept.incomplete:
            text += "; alerts that could not be read count as firing for an hour, in which they are found again if they still fire"
        return text


def recover(path: Path, now: Instant, why: str) -> DamageReport:
    """Replaces a damaged file, of which ``why`` says what is wrong, by a new one with what could be read of it. Raises StoreError: then all is
    as it was."""
    log.error("%s: what can be read of it goes into a new one", why.partition(";")[0])
    kept, new = salvage(path), beside(path, _UNFINISHED)
    without_messages(kept, now)
    try:
        with closing(open_sqlite(new)) as store:
            store.take_over(kept)
    except StoreError:
        _remove(new)
        raise
    moved_to = _free_name(path, now)
    try:
        new.rename(beside(path, NEW))
        _sync(path.parent)
        path.rename(moved_to)
        _put_in_place(path, moved_to)
    except OSError as error:
        raise StoreError(f"the store {path} cannot be replaced: {error.strerror}; check the folder's owner") from error
    return DamageReport(why, moved_to, kept)


def finish_recovery(path: Path) -> DamageReport | None:
    """Goes on with a recovery that ended after the damaged file was renamed; returns a report if there was one. Removes a new file that was not
    complete. Raises StoreError."""
    new = beside(path, NEW)
    _remove(beside(path, _UNFINISHED))
    if path.exists():
        _remove(new)
        return None
    if not new.exists():
        return None
    asides = [one for one in path.parent.glob(f"{path.name}{_ASIDE}*") if not one.name.endswith((_LOG, _INDEX))]
    moved_to = max(asides, key=lambda one: one.stat().st_ctime_ns, default=path)  # renaming sets that time
    try:
        _put_in_place(path, moved_to)
    except OSError as error:
        raise StoreError(f"the store {path} cannot be replaced: {error.strerror}; check the folder's owner") from error
    return DamageReport(f"the store {path} was damaged", moved_to, salvage(path))


def _put_in_place(path: Path, moved_to: Path) -> None:
    """Gives the new file its name, once nothing is left beside it that belonged to the damaged one. Raises OSError."""
    old_log = beside(path, _LOG)
    if old_log.exists():
        old_log.rename(beside(moved_to, _LOG))
    beside(path, _INDEX).unlink(missing_ok=True)
    beside(path, NEW).rename(path)
    _sync(path.parent)


def _free_name(path: Path, now: Instant) -> Path:
    """Returns a name for the damaged file that none has: ``monitor.db.corrupt-TIME``."""
    moment = iso(now - now % SECOND).replace("-", "").replace(":", "")
    name, number = beside(path, f"{_ASIDE}{moment}"), 1
    while name.exists():
        number += 1
        name = beside(path, f"{_ASIDE}{moment}-{number}")
    return name


def _remove(file: Path) -> None:
    for one in (file, beside(file, _LOG), beside(file, _INDEX), beside(file, "-journal")):
        one.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """Brings to the disk which files there are. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
