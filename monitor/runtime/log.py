"""How the daemon writes its log: records for the journal, lines for a terminal, or JSON for whoever collects it.

Every module logs with the standard library and hands facts over as ``extra``: they become fields beside the message.
What is registered with `hide` comes out as ``***``, wherever in a record it stands. Control characters in messages and values
are escaped: nothing that Routee or a client sent can forge a line or steer a terminal.
"""

import json
import logging
import math
import os
import re
import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal, TextIO
from urllib.parse import quote

from monitor.runtime.journald import JournaldSocket, field_name
from monitor.runtime.printable import UNPRINTABLE
from monitor.runtime.terminal_width import wrapped

Format = Literal["auto", "journal", "text", "json"]
LEVELS = ("debug", "info", "warning", "error")

_QUIET = ("httpx", "httpcore", "hypercorn", "slack_sdk", "trio-websocket", "urllib3")
"""Libraries whose INFO lines repeat URLs (secret ones too) or say nothing to an operator."""

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_PRIORITY = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
_COLOUR = {logging.DEBUG: "2", logging.WARNING: "33", logging.ERROR: "31", logging.CRITICAL: "1;31"}
_PLAIN_VALUE = re.compile(r"[^\s\"'=]+")
_SHORTEST_SECRET = 4
_IDENTIFIER = "routee-monitor"


class _Secrets:
    """What must not be shown. A secret is found in each form that a log line can give it: as it is, quoted, in a URL."""

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
    """From now on ``secret`` is written as ``***`` by this process's log. Under four characters is not taken for a secret."""
    _secrets.add(secret)


def mask(text: str) -> str:
    """``text`` with every hidden secret replaced, for what people see elsewhere (standard error, the page)."""
    return _secrets.mask(text)


def configure(
    level: str = "info",
    format: Format = "auto",  # noqa: A002 - the key's name
    stream: TextIO | None = None,
    journal: JournaldSocket | None = None,
) -> None:
    """Send the log to ``stream`` (default: standard error) from ``level`` up, in place of whatever was set before.

    Where systemd has connected ``stream`` to the journal, records go to ``journal`` with their fields, unless text or JSON is asked for.
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
    """Whether ``stream`` is the very one that systemd connected to the journal, and not a redirection inside the service."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


class _Handler(logging.StreamHandler[TextIO]):
    """Where a record cannot be written, says so in one line: the standard library would print its arguments, secrets included."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the standard library's name
        problem = sys.exc_info()[0]
        if problem is None or issubclass(problem, BrokenPipeError):
            return
        what = f"A log record of {record.name} (line {record.lineno}) could not be written: {problem.__name__}\n"
        try:
            self.stream.write(what)
        except (OSError, ValueError):
            return  # there is nobody left to tell


class _JournalHandler(_Handler):
    """Hands records to the journal; what it does not take becomes lines on the stream, which leads there by another way."""

    def __init__(self, stream: TextIO, journal: JournaldSocket) -> None:
        super().__init__(stream)
        self._journal = journal

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._journal.send(journal_fields(record))
        except OSError:
            super().emit(record)
        # As in the standard library's handlers: no record, however odd, breaks what was to be told of.
        except Exception:  # noqa: BLE001
            self.handleError(record)

    def close(self) -> None:
        self._journal.close()
        super().close()


def journal_fields(record: logging.LogRecord) -> Iterator[tuple[str, str]]:
    """The record as the journal keeps it. Facts become fields in capitals; one whose name is taken gets an underscore behind it."""
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
    """As text, without secrets and control characters."""
    return UNPRINTABLE.sub(_escape, mask(str(value)))


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def _fields(record: logging.LogRecord) -> Iterator[tuple[str, object]]:
    """What was handed over as ``extra``."""
    return ((_clean(key), value) for key, value in vars(record).items() if key not in _OWN and not key.startswith("_"))


def _pairs(record: logging.LogRecord, without: str = "") -> Iterator[str]:
    """The facts; not those whose text is a word or words of ``without``. A number may stand there for something else, so it stays."""
    for key, value in _fields(record):
        text = _clean(value)
        if without and isinstance(value, str) and re.search(rf"(?<!\w){re.escape(text)}(?!\w)", without):
            continue
        yield f"{key}={text if _PLAIN_VALUE.fullmatch(text) else json.dumps(text, ensure_ascii=False)}"


def _json_value(value: object) -> object:
    """Numbers and truth values as they are; what JSON cannot say (NaN included) as text, without secrets."""
    plain = value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value))
    return value if plain else mask(str(value))


def _traceback(record: logging.LogRecord) -> str:
    """The exception's lines, or nothing."""
    if not record.exc_info or record.exc_info[0] is None:
        return ""
    lines = mask(logging.Formatter().formatException(record.exc_info)).split("\n")
    return "\n".join(UNPRINTABLE.sub(_escape, line) for line in lines)


def _time(record: logging.LogRecord) -> str:
    """ISO-8601 in UTC, to the millisecond."""
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class TextFormatter(logging.Formatter):
    """For people who read a file: time, level, message, where from, facts."""

    def format(self, record: logging.LogRecord) -> str:
        fields = " ".join((record.name, *_pairs(record)))
        line = f"{_time(record)} {record.levelname:<7} {_message(record)}  {fields}"
        return "\n".join(filter(None, (line, _traceback(record))))


class TerminalFormatter(logging.Formatter):
    """For people at a terminal: time, level, message, and those facts that the message does not hold. It is wrapped at words."""

    def __init__(self, colours: bool = False) -> None:
        super().__init__()
        self._colours = colours

    def format(self, record: logging.LogRecord) -> str:
        message = _message(record)
        begin = f"{_time(record)} "
        level = f"{record.levelname:<7}"
        facts = "".join(f"  {pair}" for pair in _pairs(record, without=message))
        rows = wrapped(f"{begin}{level} {message}{facts}", shutil.get_terminal_size().columns, "    ")
        if self._colours:
            rows[0] = rows[0].replace(level, f"\x1b[{_COLOUR.get(record.levelno, '32')}m{level}\x1b[0m", 1)
        return "\n".join(filter(None, (*rows, _traceback(record))))


class JournalFormatter(logging.Formatter):
    """For standard error on its way to the journal, which has its own clock: every line begins with its priority (sd-daemon(3))."""

    def format(self, record: logging.LogRecord) -> str:
        prefix = f"<{_PRIORITY.get(record.levelno, 5)}>"
        line = " ".join((f"{record.name}: {_message(record)}", *_pairs(record)))
        lines = (line, *_traceback(record).splitlines())
        return "\n".join(prefix + each for each in lines)


class JsonFormatter(logging.Formatter):
    """One JSON object a line. A fact whose name is taken gets an underscore behind it."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {"time": _time(record), "level": record.levelname.lower(), "logger": record.name}
        entry["message"] = mask(record.getMessage())
        if trace := _traceback(record):
            entry["exception"] = trace
        for key, value in _fields(record):
            entry[f"{key}_" if key in entry else key] = _json_value(value)
        line = json.dumps(entry, ensure_ascii=False, allow_nan=False)
        return UNPRINTABLE.sub(lambda found: json.dumps(found[0])[1:-1], line)
