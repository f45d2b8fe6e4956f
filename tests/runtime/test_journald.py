import array
import fcntl
import logging
import os
import socket
import struct
import subprocess
import sys
from itertools import repeat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.runtime import log
from monitor.runtime.journald import JournaldSocket, encode, field_name

SPEAK = """
import logging, sys
from pathlib import Path
from monitor.runtime import log
from monitor.runtime.journald import JournaldSocket
log.configure("info", sys.argv[2], journal=JournaldSocket(Path(sys.argv[1])))
logging.getLogger("monitor.daemon.pipeline").warning("It failed", extra={"rule": "R", "fingerprint": "f00"})
"""


def decoded(record: bytes) -> list[tuple[str, str]]:
    """What a journald that follows the protocol to the letter understands."""
    fields = []
    while record:
        line, _, rest = record.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            (length,) = struct.unpack("<Q", rest[:8])
            value, end, rest = rest[8 : 8 + length], rest[8 + length : 9 + length], rest[9 + length :]
            assert end == b"\n"
        fields.append((name.decode(), value.decode()))
        record = rest
    return fields


class Journald:
    """journald's end: a datagram socket; large records come as descriptors of sealed files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(2)

    def heard(self) -> dict[str, str]:
        data, ancillary, _, _ = self._socket.recvmsg(1 << 20, socket.CMSG_SPACE(4))
        if ancillary:
            assert data == b""
            data = _sealed(array.array("i", ancillary[0][2])[0])
        return dict(decoded(data))

    def heard_nothing(self) -> bool:
        self._socket.setblocking(False)
        try:
            return not self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True

    def close(self) -> None:
        self._socket.close()
        self.path.unlink(missing_ok=True)


def _sealed(file: int) -> bytes:
    with os.fdopen(file, "rb") as memory:
        assert fcntl.fcntl(file, fcntl.F_GET_SEALS) & fcntl.F_SEAL_WRITE
        memory.seek(0)
        return memory.read()


@pytest.fixture
def journald(tmp_path):
    made = Journald(tmp_path / "journal")
    yield made
    made.close()


@pytest.fixture
def journal(journald):
    made = JournaldSocket(journald.path)
    yield made
    made.close()


@given(st.lists(st.tuples(st.sampled_from(["MESSAGE", "RULE", "X_1"]), st.text(st.characters(codec="utf-8")))))
def test_journald_reads_back_exactly_what_was_written(fields):
    assert decoded(encode(fields)) == fields


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("rule", "RULE"),
        ("detailedStatus", "DETAILEDSTATUS"),
        ("_trusted", "TRUSTED"),
        ("a.b-c", "A_B_C"),
        ("1st", "ST"),
        ("ä", "FIELD"),
        ("priority", "PRIORITY_"),
        ("x" * 100, "X" * 63),
    ],
)
def test_names_are_such_as_journald_accepts(key, name):
    assert field_name(key, taken={"PRIORITY"}) == name


def test_a_large_record_travels_in_a_sealed_file(journal, journald):
    journal.send([("MESSAGE", "x" * 5_000_000), ("RULE", "R")])
    assert journald.heard() == {"MESSAGE": "x" * 5_000_000, "RULE": "R"}


def test_a_journald_that_was_restarted_is_found_again(tmp_path):
    before = Journald(tmp_path / "journal")
    journal = JournaldSocket(before.path)
    journal.send([("MESSAGE", "one")])
    assert before.heard()["MESSAGE"] == "one"
    before.close()
    after = Journald(tmp_path / "journal")
    journal.send([("MESSAGE", "two")])
    assert after.heard()["MESSAGE"] == "two"
    journal.close()
    after.close()


def test_a_journald_that_stands_still_is_not_waited_for_twice(journal, journald):
    journal.send([("MESSAGE", "connected")])
    journald.path.unlink()  # whoever connected anew to send it once more would meet another error than this one
    with pytest.raises(TimeoutError):
        list(map(journal.send, repeat([("MESSAGE", "nobody reads this")], 100_000)))


def spoken(journal: Path, form: str = "auto", connected: bool = True, speak: str = SPEAK) -> str:
    """What a process whose standard error leads to the journal writes there, beside what it sends to the journal's socket."""
    reading, writing = os.pipe()
    status = os.fstat(writing)
    environment = os.environ | {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}" if connected else "1:1"}
    subprocess.run([sys.executable, "-c", speak, str(journal), form], stderr=writing, env=environment, check=True)
    os.close(writing)
    with os.fdopen(reading) as file:
        return file.read()


@pytest.mark.parametrize("form", ["auto", "journal"])
def test_under_systemd_extra_values_become_fields(journald, form):
    assert spoken(journald.path, form) == ""
    heard = journald.heard()
    assert heard.pop("CODE_LINE").isdecimal()
    assert heard == {
        "MESSAGE": "It failed",
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": "routee-monitor",
        "LOGGER": "monitor.daemon.pipeline",
        "CODE_FILE": "<string>",
        "CODE_FUNC": "<module>",
        "RULE": "R",
        "FINGERPRINT": "f00",
    }


def test_what_the_journal_does_not_take_is_a_line_on_standard_error(tmp_path):
    assert spoken(tmp_path / "nobody") == "<4>monitor.daemon.pipeline: It failed rule=R fingerprint=f00\n"


def test_nobody_waits_for_a_journal_that_does_not_read_and_what_is_lost_is_counted(journald):
    flood = (
        SPEAK
        + """
print("at work", flush=True)
for number in range(3_000):
    logging.getLogger("flood").warning("x" * 1_000)
print("done", flush=True)
"""
    )
    with (journald.path.parent / "stream").open("w") as stream:
        status = os.fstat(stream.fileno())
        environment = os.environ | {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        words = [sys.executable, "-c", flood, str(journald.path), "auto"]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=stream, env=environment, text=True) as process:
            assert process.stdout is not None
            assert [next(process.stdout), next(process.stdout)] == ["at work\n", "done\n"], "nobody has read yet"
            heard = [journald.heard()["MESSAGE"]]
            while "lost" not in heard[-1]:
                heard.append(journald.heard()["MESSAGE"])
    taken = len(heard) - 2 + (journald.path.parent / "stream").read_text().count("x" * 1_000)
    assert heard[-1] == f"{3_000 - taken} records of the log were lost here: the journal did not take them for a while"


def test_where_standard_error_is_not_the_journal_the_journal_hears_nothing(journald):
    assert spoken(journald.path, connected=False).startswith("{")
    assert spoken(journald.path, "journal", connected=False).startswith("<4>")
    assert journald.heard_nothing()


def test_a_record_that_cannot_be_sent_does_not_print_its_arguments(journald):
    speak = SPEAK.replace("It failed", "%d pages").replace(", extra=", ", 'not-a-number', extra=")
    assert spoken(journald.path, speak=speak).endswith("could not be written: TypeError\n")


def record(message: str, **extra: object) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": "monitor", "msg": message, "levelno": logging.INFO})
    vars(made).update(extra)
    return made


def test_nobody_can_forge_a_field_and_no_secret_stands_in_one():
    log.hide("s3cret-of-the-journal")
    fields = dict(
        log.journal_fields(record("x\nPRIORITY=0", rule="a\nRULE=b", url="https://x/?k=s3cret-of-the-journal"))
    )
    assert fields["MESSAGE"] == "x\\nPRIORITY=0"
    assert fields["RULE"] == "a\\nRULE=b"
    assert fields["URL"] == "https://x/?k=***"


def test_a_traceback_follows_its_message():
    try:
        raise ValueError("boom")
    except ValueError:
        failed = record("It failed", exc_info=sys.exc_info())
    lines = dict(log.journal_fields(failed))["MESSAGE"].splitlines()
    assert (lines[0], lines[-1]) == ("It failed", "ValueError: boom")
