"""Formats and writes the daemon's log: records for the journal, lines for a terminal, or JSON for a collector.

Every module logs with the standard library and passes values as ``extra``, which become fields beside the message.
Secrets that are registered with `hide` are written as ``***`` wherever they appear in a record. Control characters in messages and
values are escaped, so that nothing that Routee or a client sends can forge a line or control a terminal.
"""

import json
import logging
import math
import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple, TextIO
from urllib.parse import quote

from monitor.runtime.background_writer import BackgroundWriter
from monitor.runtime.journald import PATIENCE_SECONDS, JournaldSocket, field_name
from monitor.runtime.printable import UNPRINTABLE
from monitor.runtime.terminal_width import wrapped

Format = Literal["auto", "journal", "text", "json"]
LEVELS = ("debug", "info", "warning", "error")

_QUIET = ("httpx", "httpcore", "hypercorn", "slack_sdk", "trio-websocket", "urllib3")
"""Libraries whose INFO lines repeat URLs (also secret ones) or do not help an operator."""

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_PRIORITY = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
_COLOUR = {logging.DEBUG: "2", logging.WARNING: "33", logging.ERROR: "31", logging.CRITICAL: "1;31"}
_PLAIN_VALUE = re.compile(r"[^\s\"'=]+")
_SHORTEST_SECRET = 4
_IDENTIFIER = "routee-monitor"


class _Secrets:
    """The texts that must not be shown. A secret is found in each form that it can have in a log line: as it is, quoted, or in a URL."""

    def __init__(self) -> None:
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def add(self, secret: str) -> None:
        text = secret.strip()
        if len(text) < _SHORTEST_SECRET:
            return  # hiding every "a" would only garble the log
        forms = (text, json.dumps(text)[1:-1], repr(text)[1:-1], quote(text), quote(text, safe=""))
        self._forms.update(forms)
        longest_first = sorted(self._forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def mask(self, text: str) -> str:
        return self._pattern.sub("***", text) if self._pattern else text


_secrets = _Secrets()


def hide(secret: str) -> None:
    """Makes this process's log write ``secret`` as ``***`` from now on. Ignores texts of fewer than four characters."""
    _secrets.add(secret)


def mask(text: str) -> str:
    """Returns ``text`` with every hidden secret replaced, for texts outside of the log (standard error, the web page)."""
    return _secrets.mask(text)


def configure(
    level: str = "info",
    format: Format = "auto",  # noqa: A002 - the key's name
    stream: TextIO | None = None,
    journal: JournaldSocket | None = None,
) -> None:
    """Sends the log to ``stream`` (default: standard error) from ``level`` up. Replaces the earlier configuration.

    Where systemd has connected ``stream`` to the journal, records go to ``journal`` with their fields, unless ``format`` is text or JSON.
    """
    target = stream or sys.stderr
    native = format in ("auto", "journal") and _is_journal(target)
    handler = _JournalHandler(target, journal or JournaldSocket()) if native else _Handler(target)
    handler.setFormatter(_formatter(format, target))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)


def _formatter(format: Format, stream: TextIO) -> logging.Formatter:  # noqa: A002 - as above
    if format == "journal" or (format == "auto" and _is_journal(stream)):
        return JournalFormatter()
    terminal = stream.isatty()
    if format == "text" or (format == "auto" and terminal):
        return TerminalFormatter(colours=not os.environ.get("NO_COLOR")) if terminal else TextFormatter()
    return JsonFormatter()


def _is_journal(stream: TextIO) -> bool:
    """Whether ``stream`` is the one that systemd connected to the journal, and not a redirection inside the service."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


class _JournalRecord(NamedTuple):
    """A record as the journal gets it, and as a line for the stream."""

    fields: list[tuple[str, str]]
    line: str


class _Handler(logging.StreamHandler[TextIO]):
    """Reports a record that cannot be written in one line. The standard library would print its arguments, secrets included."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the standard library's name
        problem = sys.exc_info()[0]
        if problem is None or issubclass(problem, BrokenPipeError):
            return
        what = f"A log record of {record.name} (line {record.lineno}) could not be written: {problem.__name__}\n"
        try:
            self.stream.write(what)
        except (OSError, ValueError):
            return  # the stream is broken, and there is no other place to report it


class _JournalHandler(_Handler):
    """Sends records to the journal, from a thread, which a journal that does not read holds up. Writes a record that the journal does not accept to
    the stream, which leads to the journal too."""

    def __init__(self, stream: TextIO, journal: JournaldSocket) -> None:
        super().__init__(stream)
        self._journal = journal
        self._writer = BackgroundWriter[_JournalRecord](self._send_all, lambda one: len(one.line), self._lost)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._writer.put(self._both(record))
        # As in the standard library's handlers: no record may break the code that logs it.
        except Exception:  # noqa: BLE001 - no record may break the code that logs it
            self.handleError(record)

    def flush(self) -> None:
        self._writer.drain(PATIENCE_SECONDS)

    def close(self) -> None:
        self.flush()
        self._journal.close()
        super().close()

    def _send_all(self, records: Sequence[_JournalRecord]) -> None:
        for one in records:
            try:
                self._journal.send(one.fields)
            except OSError:
                self.stream.write(one.line + self.terminator)
                self.stream.flush()

    def _lost(self, count: int) -> _JournalRecord:
        text = f"{count} records of the log were lost here: the journal did not take them for a while"
        return self._both(logging.LogRecord("monitor", logging.WARNING, __file__, 0, text, (), None))

    def _both(self, record: logging.LogRecord) -> _JournalRecord:
        return _JournalRecord(list(journal_fields(record)), self.format(record))


def lost_line(count: int) -> str:
    """Returns a line of the log, in its form, which says that so many records were lost."""
    text = f"{count} records of the log were lost here: nobody read it for a while"
    record = logging.LogRecord("monitor", logging.WARNING, __file__, 0, text, (), None)
    handlers = logging.getLogger().handlers
    return (handlers[0].format(record) if handlers else text) + "\n"


def flush() -> None:
    """Waits until what was logged is written, for at most a second."""
    for handler in logging.getLogger().handlers:
        handler.flush()


def journal_fields(record: logging.LogRecord) -> Iterator[tuple[str, str]]:
    """Yields the record's fields for the journal. Extra fields get names in capitals, with an underscore behind a name that is taken."""
    own = {
        "MESSAGE": "\n".join(filter(None, (_message(record), _traceback(record)))),
        "PRIORITY": str(_PRIORITY.get(record.levelno, 5)),
        "SYSLOG_IDENTIFIER": _IDENTIFIER,
        "LOGGER": record.name,
        "CODE_FILE": record.pathname,
        "CODE_LINE": str(record.lineno),
        "CODE_FUNC": record.funcName or "",
    }
    yield from own.items()
    for key, value in _fields(record):
        yield field_name(key, own), _clean(value)


def _message(record: logging.LogRecord) -> str:
    return _clean(record.getMessage())


def _clean(value: object) -> str:
    """Returns the value as text without secrets and control characters."""
    return UNPRINTABLE.sub(_escape, mask(str(value)))


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def _fields(record: logging.LogRecord) -> Iterator[tuple[str, object]]:
    """Returns the names and values that were passed as ``extra``."""
    return ((_clean(key), value) for key, value in vars(record).items() if key not in _OWN and not key.startswith("_"))


def _pairs(record: logging.LogRecord, without: str = "") -> Iterator[str]:
    """Yields the extra fields as ``name=value``, except texts that occur as whole words in ``without``. A number is always kept: the same
    number may mean something else there."""
    for key, value in _fields(record):
        text = _clean(value)
        if without and isinstance(value, str) and re.search(rf"(?<!\w){re.escape(text)}(?!\w)", without):
            continue
        yield f"{key}={text if _PLAIN_VALUE.fullmatch(text) else json.dumps(text, ensure_ascii=False)}"


def _json_value(value: object) -> object:
    """Returns null, finite numbers and truth values as they are, and everything else as text without secrets. JSON has no NaN."""
    plain = value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value))
    return value if plain else mask(str(value))


def _traceback(record: logging.LogRecord) -> str:
    """Returns the exception's traceback without secrets; empty if the record has no exception."""
    if not record.exc_info or record.exc_info[0] is None:
        return ""
    lines = mask(logging.Formatter().formatException(record.exc_info)).split("\n")
    return "\n".join(UNPRINTABLE.sub(_escape, line) for line in lines)


def _time(record: logging.LogRecord) -> str:
    """Returns the record's time as ISO-8601 in UTC, to the millisecond."""
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class TextFormatter(logging.Formatter):
    """Formats for people who read a file: time, level, message, logger, extra fields."""

    def format(self, record: logging.LogRecord) -> str:
        fields = " ".join((record.name, *_pairs(record)))
        line = f"{_time(record)} {record.levelname:<7} {_message(record)}  {fields}"
        return "\n".join(filter(None, (line, _traceback(record))))


class TerminalFormatter(logging.Formatter):
    """Formats for people at a terminal: time, level, message, and the extra fields that the message does not contain. Wraps at words."""

    def __init__(self, colours: bool = False) -> None:
        super().__init__()
        self._colours = colours

    def format(self, record: logging.LogRecord) -> str:
        message = _message(record)
        begin = f"{_time(record)} "
        level = f"{record.levelname:<7}"
        fields = "".join(f"  {pair}" for pair in _pairs(record, without=message))
        rows = wrapped(f"{begin}{level} {message}{fields}", shutil.get_terminal_size().columns, "    ")
        if self._colours:
            rows[0] = rows[0].replace(level, f"\x1b[{_COLOUR.get(record.levelno, '32')}m{level}\x1b[0m", 1)
        return "\n".join(filter(None, (*rows, _traceback(record))))


class JournalFormatter(logging.Formatter):
    """Formats for standard error that goes to the journal. Every line begins with its priority (sd-daemon(3)); the journal adds the time."""

    def format(self, record: logging.LogRecord) -> str:
        prefix = f"<{_PRIORITY.get(record.levelno, 5)}>"
        line = " ".join((f"{record.name}: {_message(record)}", *_pairs(record)))
        lines = (line, *_traceback(record).splitlines())
        return "\n".join(prefix + each for each in lines)


class JsonFormatter(logging.Formatter):
    """Formats each record as one line with a JSON object. An extra field whose name is taken gets an underscore behind it."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {"time": _time(record), "level": record.levelname.lower(), "logger": record.name}
        entry["message"] = mask(record.getMessage())
        if trace := _traceback(record):
            entry["exception"] = trace
        for key, value in _fields(record):
            entry[f"{key}_" if key in entry else key] = _json_value(value)
        line = json.dumps(entry, ensure_ascii=False, allow_nan=False)
        return UNPRINTABLE.sub(lambda found: json.dumps(found[0])[1:-1], line)
