"""A local Routee and the real daemon, each in a thread or process of its own, and a page of the browser, for the tests in a browser."""

import json
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import trio
from playwright.sync_api import Browser, Page

from monitor.runtime.clock import SystemClock, iso
from monitor.simulation.sandbox import DEFAULT_CREDENTIALS, Sandbox, serve

CHROMIUM = shutil.which("chromium")
WAIT = 30_000
"""Milliseconds that the browser waits for what should come; the machine may be busy."""

RATE = {
    "name": "Failing",
    "kind": "rate",
    "by": ["operator", "country"],
    "window": "1h",
    "above": "20%",
    "min_messages": 5,
}


class LocalRoutee:
    """A local Routee in a thread of its own."""

    def __init__(self) -> None:
        self.sandbox = Sandbox(SystemClock())
        self._ready: queue.Queue[str] = queue.Queue()
        self._thread = threading.Thread(target=trio.run, args=(self._serve,))
        self._thread.start()
        self.url = self._ready.get(timeout=30)

    async def _serve(self) -> None:
        self._token, self._stop = trio.lowlevel.current_trio_token(), trio.Event()
        async with trio.open_nursery() as nursery:
            self._ready.put(await nursery.start(serve, self.sandbox))
            await self._stop.wait()
            nursery.cancel_scope.cancel()

    def put(self, records: Iterable[dict[str, Any]]) -> None:
        """Adds messages, or replaces those with the same ids."""

        def put_all() -> None:
            for record in records:
                self.sandbox.put(record)

        trio.from_thread.run_sync(put_all, trio_token=self._token)

    def close(self) -> None:
        trio.from_thread.run_sync(self._stop.set, trio_token=self._token)
        self._thread.join()


class Daemon:
    """The command ``run`` in a folder of its own; `start` again keeps its store and its address."""

    def __init__(self, folder: Path, routee: LocalRoutee, rules: list[dict[str, Any]], **config: Any) -> None:
        self._folder, self._routee, self._rules, self._config = folder, routee, rules, config
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def start(self) -> None:
        """Runs it until it listens."""
        listen = self.url.removeprefix("http://") or "127.0.0.1:0"
        self._write(listen)
        command = [sys.executable, "-m", "monitor", "run", "--config", str(self._folder / "monitor.yaml")]
        self._process = subprocess.Popen([*command, "--log-format", "json"], stderr=subprocess.PIPE)
        assert self._process.stderr is not None
        logged = []
        for line in self._process.stderr:
            logged.append(line)
            message = json.loads(line)["message"]
            if message.startswith("listening on "):
                self.url = message.removeprefix("listening on ")
                break
        else:
            raise AssertionError(b"".join(logged).decode())
        self._reading = threading.Thread(target=self._process.stderr.read)
        self._reading.start()

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._reading.join()
            assert self._process.stderr is not None
            self._process.stderr.close()
            self._process = None

    def _write(self, listen: str) -> None:
        (self._folder / "rules.yaml").write_text(json.dumps({"rules": self._rules}))
        application_id, secret = DEFAULT_CREDENTIALS
        account = {"name": "main", "application_id": application_id, "application_secret": secret}
        account |= {"api_url": self._routee.url, "auth_url": self._routee.url, "requests_per_second": 1000}
        whole = {
            "accounts": [account],
            "searches": [{"name": "all", "every": "1s"}],
            "rules": ["rules.yaml"],
            "store": "sqlite:monitor.db",
            "receivers": [{"name": "ops", "console": [{}]}],
            "web": {"listen": listen},
        }
        (self._folder / "monitor.yaml").write_text(json.dumps(whole | self._config))


@contextmanager
def browsing(browser: Browser, **options: Any) -> Iterator[Page]:
    """A page whose console must stay empty: an error, also one of the Content-Security-Policy, fails the test."""
    context = browser.new_context(**options)
    page = context.new_page()
    page.set_default_timeout(WAIT)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    yield page
    context.close()
    assert said == []


def messages(name: str, status: str = "Failed", count: int = 10, **fields: str) -> list[dict[str, Any]]:
    """Messages as a search shows them, of one operator unless ``fields`` say otherwise."""
    usual = {"to": "+306912345678", "from": "Shop", "operator": "Cosmote", "country": "GR", "direction": "Outbound"}
    date = iso(SystemClock().now())
    return [
        {"smsId": f"{name}-{i}", "messageId": f"{name}-{i}", "parts": 1, "part": 1}
        | usual
        | fields
        | {"status": {"status": status, "date": date}}
        for i in range(count)
    ]
