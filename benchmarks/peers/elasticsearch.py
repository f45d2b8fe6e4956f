"""As much of Elasticsearch's HTTP as ElastAlert 2 needs: a search that scrolls, and an index to which it writes its state."""

import json
from typing import Any, Final
from urllib.parse import urlsplit

import trio

from benchmarks.peers.spike_traffic import Document
from monitor.runtime.clock import Instant, parse_iso
from tests.fakes.http import Answer, Asked

_VERSION: Final = (
    b'{"name":"stub","cluster_name":"stub","version":{"number":"7.10.2","lucene_version":"8.7.0"},"tagline":""}'
)
_EMPTY: Final = b'{"took":1,"timed_out":false,"_shards":{"total":1,"failed":0},"hits":{"total":{"value":0},"hits":[]}}'
_JSON: Final = {"content-type": "application/json"}
SCROLL_ID: Final = "the-only-one"


class Elasticsearch:
    """Documents in the order of their dates. ``served`` counts the ones that were sent; ``done`` is set when a rule's run has been recorded."""

    def __init__(self, documents: list[Document]) -> None:
        self._documents = documents
        self.begin()

    def begin(self) -> None:
        """Forgets what was asked."""
        self._rest: list[Document] = []
        self._size = self._total = self.served = 0
        self.done = trio.Event()

    async def handle(self, asked: Asked) -> Answer:
        """See `tests.fakes.http`."""
        path = urlsplit(asked.target).path
        if path == "/":
            return Answer(body=_VERSION, headers=_JSON)
        if asked.method == "HEAD":
            return Answer()
        if path == "/sms/_search":
            return self._search(asked)
        if path == "/_search/scroll":
            return self._page() if asked.method == "POST" else Answer(body=b"{}", headers=_JSON)
        if path.endswith("_search"):
            return Answer(body=_EMPTY, headers=_JSON)
        if path.endswith("_status/_doc") and asked.json.get("endtime"):
            self.done.set()
        return Answer(201, b'{"_id":"1","result":"created"}', _JSON)

    def _search(self, asked: Asked) -> Answer:
        start, end = _range(asked.json)
        self._rest = [one for one in self._documents if start < one.at <= end]
        self._total = len(self._rest)
        query = dict(pair.split("=", 1) for pair in urlsplit(asked.target).query.split("&"))
        self._size = int(query["size"])
        return self._page()

    def _page(self) -> Answer:
        page, self._rest = self._rest[: self._size], self._rest[self._size :]
        self.served += len(page)
        head = b'{"_scroll_id":"%b","took":1,"timed_out":false,"_shards":{"total":1,"failed":0},"hits":{"total":{"value":%d},"hits":['
        hits = b",".join(one.hit for one in page)
        return Answer(body=head % (SCROLL_ID.encode(), self._total) + hits + b"]}}", headers=_JSON)


def _range(body: dict[str, Any]) -> tuple[Instant, Instant]:
    """Returns the span of ``@timestamp`` in a query, wherever in it that stands. Raises ValueError if there is none."""
    for node in _nodes(body):
        if isinstance(node, dict) and "@timestamp" in node and isinstance(node["@timestamp"], dict):
            limits = node["@timestamp"]
            if "gt" in limits and "lte" in limits:
                return parse_iso(limits["gt"]), parse_iso(limits["lte"])
    raise ValueError(f"no range of time in {json.dumps(body)}")


def _nodes(node: Any) -> list[Any]:
    below = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return [node, *(found for one in below for found in _nodes(one))]
