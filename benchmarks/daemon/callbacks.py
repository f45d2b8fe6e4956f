"""Measures how many callbacks a second the daemon takes: a minute at 2,000 a second, with the starter rules, polled beside it.

The daemon has a process of its own. So have the hands that push, and those who ask for /healthz, since they would wait for each other.
"""

import http.client
import json
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import trio

from benchmarks.figure import Figure
from benchmarks.routee_process import routee_with
from monitor.config.starter import rules
from monitor.daemon.restore import restored_window
from monitor.daemon.validate import load
from monitor.runtime.clock import SystemClock, iso
from monitor.simulation.sandbox import DEFAULT_CREDENTIALS
from monitor.store.open import open_store

RATE = 2_000
SECONDS, QUICK_SECONDS = 60, 6
CONNECTIONS = 64
PATIENCE = 60.0
SECRET = "the-secret-of-callbacks"


def run(quick: bool) -> list[Figure]:
    """Returns what was taken, how soon, and what it cost the daemon."""
    seconds = QUICK_SECONDS if quick else SECONDS
    with tempfile.TemporaryDirectory() as name, routee_with(1) as url:
        address = _configure(Path(name), url)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "monitor", "run", "--config", f"{name}/monitor.yaml", "--log-level", "error"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as daemon:
            try:
                _until_ready(address)
                health = _probing(address)
                answers = trio.run(_push_all, address, RATE * seconds)
                slowest = _slowest(health)
            finally:
                daemon.terminate()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        kept = _stored(Path(name))
    waits = sorted(answers.waits)
    cpu = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
    return [
        Figure(f"callbacks a second that were answered 200, of {RATE:,} a second", len(waits) / answers.seconds, "/s"),
        Figure("of all, not answered 200", answers.refused, "callbacks", at_most=0),
        Figure("answered 200, and not in the store afterwards", len(waits) - kept, "callbacks", at_most=0),
        Figure("an answer takes, in the middle", 1e3 * waits[len(waits) // 2], "ms"),
        Figure("99 of 100 answers take at most", 1e3 * waits[len(waits) * 99 // 100], "ms"),
        Figure("the slowest /healthz meanwhile", 1e3 * slowest, "ms", at_most=100),
        Figure("processor time of daemon and probes a callback", 1e3 * cpu / max(len(waits), 1), "ms"),
    ]


class _Answers:
    """What came back: seconds until each 200, and how many were not 200."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.refused = 0
        self.seconds = 0.0


async def _push_all(address: tuple[str, int], total: int) -> _Answers:
    """Pushes at an even rate, or as fast as it is answered."""
    answers, numbers, began = _Answers(), iter(range(total)), trio.current_time()

    async def hand() -> None:
        async with await trio.open_tcp_stream(*address) as stream:
            for number in numbers:
                await trio.sleep_until(began + number / RATE)
                asked = trio.current_time()
                await stream.send_all(callback_request(number))
                received = await stream.receive_some()
                if received.startswith(b"HTTP/1.1 200 "):
                    answers.waits.append(trio.current_time() - asked)
                else:
                    answers.refused += 1

    async with trio.open_nursery() as nursery:
        for _ in range(CONNECTIONS):
            nursery.start_soon(hand)
    answers.seconds = trio.current_time() - began
    return answers


def callback_request(number: int) -> bytes:
    """Returns a request that pushes the report of one message of now."""
    date = iso(SystemClock().now()).encode()
    body = _BODY % (number, number, number % 10_000_000, (b"Cosmote", b"Wind", b"Vodafone")[number % 3], date)
    return _HEAD % (SECRET.encode(), len(body)) + body


_HEAD = b"POST /callbacks/routee/main?secret=%b HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
_BODY = (
    b'{"smsId": "sms-%d", "messageId": "%08x-0000-4000-8000-000000000000", "to": "+30690%07d", "from": "Shop", "groups": ["vip"],'
    b' "country": "GR", "operator": "%b", "message": "Hello", "applicationName": "app", "originatingService": "Sms", "latency": 3, "parts": 1,'
    b' "part": 1, "price": 0.045, "label": "promo", "direction": "Outbound", "status": {"name": "Delivered", "updatedDate": "%b",'
    b' "reason": {"detailedStatus": "Delivered", "description": "as it says"}}}'
)


def _configure(folder: Path, url: str) -> tuple[str, int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        host, port = free.getsockname()
    name, secret = DEFAULT_CREDENTIALS
    account = {"name": "main", "application_id": name, "application_secret": secret, "api_url": url, "auth_url": url}
    config = {
        "accounts": [account | {"callback_secret": SECRET}],
        "rules": [str(rules())],
        "store": "sqlite:monitor.db",
        "web": {"listen": f"{host}:{port}"},
    }
    (folder / "monitor.yaml").write_text(json.dumps(config))
    return host, port


def _until_ready(address: tuple[str, int]) -> None:
    began = time.perf_counter()
    while time.perf_counter() - began < PATIENCE:
        try:
            if _ask(address, "/readyz") == 200:
                return
        except OSError:
            pass  # it does not listen yet
        time.sleep(0.05)
    raise RuntimeError("the daemon was never ready")


def _ask(address: tuple[str, int], path: str) -> int:
    connection = http.client.HTTPConnection(*address, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def _probing(address: tuple[str, int]) -> "subprocess.Popen[bytes]":
    """Starts a process that asks for /healthz ten times a second until its input is closed."""
    command = [sys.executable, "-m", "benchmarks.daemon.callbacks", address[0], str(address[1])]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def _slowest(probing: "subprocess.Popen[bytes]") -> float:
    """Ends that process; returns the seconds of the slowest answer."""
    with probing:
        said, _ = probing.communicate()
    return float(said)


def _stored(folder: Path) -> int:
    """Returns how many messages of the callbacks a restart would find."""
    with open_store(folder / "monitor.db", read_only=True) as store:
        config = load(folder / "monitor.yaml", {}).settings.config
        window = restored_window(store, "main", config, store.secret("recipients"))
    return window.messages - 1  # Routee has one itself


def _probe(address: tuple[str, int]) -> float:
    """Asks until the input is closed; returns the seconds of the slowest answer."""
    over, slowest = threading.Event(), 0.0
    threading.Thread(target=lambda: over.set() if not sys.stdin.read() else None, daemon=True).start()
    while not over.wait(0.1):
        began = time.perf_counter()
        _ask(address, "/healthz")
        slowest = max(slowest, time.perf_counter() - began)
    return slowest


if __name__ == "__main__":
    print(_probe((sys.argv[1], int(sys.argv[2]))))
