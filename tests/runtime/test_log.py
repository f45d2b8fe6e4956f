import io
import json
import logging
import os
import pty
import re
import subprocess
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path

import pytest

from monitor.runtime import log

SPEAK = """
import logging
from monitor.runtime import log
log.configure("info", "auto")
logging.getLogger("monitor.poll").info("A poll is complete", extra={"search": "outbound", "pages": 3})
"""


@contextmanager
def configured(*args, **kwargs):
    """Everything that is written while the block runs; logging is as before afterwards."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    stream = io.StringIO()
    log.configure(*args, stream=stream, **kwargs)
    try:
        yield stream
    finally:
        logging.captureWarnings(False)
        root.handlers[:] = before
        root.setLevel(level)


def logged(form: str, message: str = "Hello", **extra: object) -> str:
    with configured("debug", form) as stream:
        logging.getLogger("monitor.poll").warning(message, extra=extra)
    return stream.getvalue()


def test_text_has_time_level_message_and_extra_fields():
    line = logged("text", "A poll failed", search="outbound", after="3 s", pages=2)
    assert re.fullmatch(
        r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z WARNING A poll failed  monitor\.poll search=outbound after="3 s" pages=2\n',
        line,
    )


def test_json_is_one_object_a_line_with_the_extra_fields_as_they_are():
    entry = json.loads(logged("json", "A poll failed", search="outbound", pages=2, blind=False, why=None))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry.pop("time"))
    assert entry == {
        "level": "warning",
        "logger": "monitor.poll",
        "message": "A poll failed",
        "search": "outbound",
        "pages": 2,
        "blind": False,
        "why": None,
    }


def test_json_says_what_json_cannot_as_text_and_keeps_its_own_names():
    entry = json.loads(logged("json", value=float("nan"), path=Path("/x"), level="x"))
    assert (entry["value"], entry["path"], entry["level"], entry["level_"]) == ("nan", "/x", "warning", "x")


def test_json_stays_one_line_whatever_is_in_it():
    line = logged("json", "one\ntwo\u2028three\x85four", name_="a\nb")
    assert len(line.splitlines()) == 1
    assert json.loads(line)["message"] == "one\ntwo\u2028three\x85four"


@pytest.mark.parametrize(
    ("level", "priority"),
    [("debug", 7), ("info", 6), ("warning", 4), ("error", 3), ("critical", 2)],
)
def test_journal_lines_begin_with_their_priority(level, priority):
    with configured("debug", "journal") as stream:
        getattr(logging.getLogger("monitor.poll"), level)("Hello", extra={"search": "outbound"})
    assert stream.getvalue() == f"<{priority}>monitor.poll: Hello search=outbound\n"


def test_every_line_of_a_traceback_has_its_priority_in_the_journal():
    with configured("info", "journal") as stream:
        fail_with("boom")
    lines = stream.getvalue().splitlines()
    assert len(lines) > 3
    assert all(line.startswith("<3>") for line in lines)


@pytest.mark.parametrize("form", ["text", "journal"])
def test_nobody_can_forge_a_line_or_steer_the_terminal(form):
    written = logged(form, "x\n<0>forged \x1b[2J", value="a\r\nb\x9b")
    assert len(written.splitlines()) == 1
    assert "\x1b" not in written
    assert "\x9b" not in written


def fail_with(text: str) -> None:
    try:
        raise ValueError(text)
    except ValueError:
        logging.getLogger("monitor.poll").exception("It failed")


@pytest.mark.parametrize("form", ["text", "journal", "json"])
def test_a_secret_is_nowhere_in_a_record(form):
    secret = 'pa"ss\\wörd/+'
    log.hide(secret + "\n")  # as it comes from a file
    with configured("debug", form) as stream:
        logger = logging.getLogger("monitor.poll")
        logger.info("to %s", secret, extra={"url": f"https://x/?k={secret}", "given": [secret], secret: 1})
        logger.info("https://x/?k=pa%22ss%5Cw%C3%B6rd%2F%2B")
        fail_with(secret)
        fail_with(repr({"token": secret}))
    written = stream.getvalue()
    for shape in (secret, json.dumps(secret)[1:-1], repr(secret)[1:-1], "pa%22ss"):
        assert shape not in written
    assert written.count("***") >= 7


def test_of_two_secrets_the_longer_one_is_hidden_whole():
    log.hide("qwertz")
    log.hide("qwertz-and-more")
    assert log.mask("qwertz-and-more qwertz") == "*** ***"


def test_what_is_too_short_to_be_a_secret_is_left_alone():
    log.hide("abc")
    log.hide("")
    assert log.mask("abc") == "abc"


def test_a_record_that_cannot_be_written_does_not_print_its_arguments():
    with configured("info", "text") as stream:
        logging.getLogger("monitor.poll").info("%d pages", "not-a-number")
    assert re.fullmatch(
        r"A log record of monitor\.poll \(line \d+\) could not be written: TypeError\n", stream.getvalue()
    )


@pytest.mark.parametrize("name", ["httpx", "httpcore.connection", "hypercorn.error", "slack_sdk.web"])
def test_libraries_are_heard_only_from_warning_up(name):
    with configured("debug", "text") as stream:
        logging.getLogger(name).info("GET https://hooks.example.org/secret")
        assert stream.getvalue() == ""
        logging.getLogger(name).warning("trouble")
    assert "trouble" in stream.getvalue()


def test_the_level_is_respected():
    with configured("warning", "text") as stream:
        logging.getLogger("monitor").info("quiet")
    assert stream.getvalue() == ""


def test_warnings_of_libraries_are_records_too():
    with configured("info", "text") as stream, warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("something is old", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(False)
    assert "something is old" in stream.getvalue()


def speak(stderr: int, **environment: str) -> None:
    plain = {key: value for key, value in os.environ.items() if key not in {"NO_COLOR", "JOURNAL_STREAM"}}
    subprocess.run([sys.executable, "-c", SPEAK], stderr=stderr, env=plain | environment, check=True)


def through_a_pipe() -> str:
    reading, writing = os.pipe()
    speak(writing, JOURNAL_STREAM="1:1")
    os.close(writing)
    with os.fdopen(reading) as file:
        return file.read()


def on_a_terminal(**environment: str) -> str:
    controlling, terminal = pty.openpty()
    speak(terminal, **environment)
    written = os.read(controlling, 4096).decode()
    os.close(terminal)
    os.close(controlling)
    return written


def test_where_standard_error_is_redirected_inside_a_service_it_is_json():
    assert json.loads(through_a_pipe())["message"] == "A poll is complete"


def test_a_terminal_gets_colours():
    assert "\x1b[32mINFO   \x1b[0m A poll is complete" in on_a_terminal()


def test_a_terminal_without_colours_is_respected():
    written = on_a_terminal(NO_COLOR="1")
    assert "INFO    A poll is complete  search=outbound  pages=3" in written
    assert "\x1b" not in written


def test_a_terminal_gets_neither_the_logger_nor_what_the_message_says_and_is_wrapped_at_words(monkeypatch):
    monkeypatch.setenv("COLUMNS", "61")
    record = logging.makeLogRecord({"name": "monitor", "levelname": "INFO", "levelno": logging.INFO, "created": 0.0})
    record.msg = "OperatorFailureRate fired at noon (operator=Cosmote)"
    vars(record).update(label_operator="Cosmote", rule="OperatorFailureRate", fingerprint="26e3bbde306c0c05")
    assert log.TerminalFormatter().format(record).splitlines() == [
        "1970-01-01T00:00:00.000Z INFO    OperatorFailureRate fired at",
        "    noon (operator=Cosmote)  fingerprint=26e3bbde306c0c05",
    ]
