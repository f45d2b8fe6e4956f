"""What the comparison with ElastAlert 2 asks of both: the same messages, of which one operator has a spike."""

import json
from collections import Counter
from urllib.parse import urlencode

from benchmarks.peers.elasticsearch import Elasticsearch
from benchmarks.peers.spike_traffic import HEIGHT, LEAST, SPIKING, WINDOW, documents, sandbox_with_a_spike
from monitor.runtime.clock import DAY, Instant, iso
from tests.fakes.http import Asked

MESSAGES = 20_000


def query(start: Instant, end: Instant) -> bytes:
    """As ElastAlert 2 nests it."""
    return json.dumps(
        {"query": {"bool": {"filter": [{"range": {"@timestamp": {"gt": iso(start), "lte": iso(end)}}}]}}}
    ).encode()


def test_one_operator_has_a_spike_and_no_other() -> None:
    sandbox = sandbox_with_a_spike(MESSAGES)
    found, now = documents(sandbox), sandbox.now()
    assert len(found) == MESSAGES
    assert [one.at for one in found] == sorted(one.at for one in found)
    recent, before = Counter[str](), Counter[str]()
    for one in found:
        operator = json.loads(one.hit)["_source"]["operator"]
        recent[operator] += now - WINDOW < one.at <= now
        before[operator] += now - 2 * WINDOW < one.at <= now - WINDOW
    spikes = {name for name in recent if before[name] >= LEAST and recent[name] > HEIGHT * before[name]}
    assert spikes == {SPIKING}


async def test_the_stub_of_elasticsearch_scrolls_through_the_documents_of_the_range() -> None:
    found = documents(sandbox_with_a_spike(1_000))
    stub, start, end = Elasticsearch(found), found[99].at, found[-1].at
    expected = [one for one in found if start < one.at <= end]
    assert 0 < len(expected) < len(found)
    target = f"/sms/_search?{urlencode({'size': 300, 'scroll': '30s'})}"
    answer = json.loads((await stub.handle(Asked("POST", target, {}, query(start, end)))).body)
    assert answer["hits"]["total"]["value"] == len(expected)
    hits = []
    while page := answer["hits"]["hits"]:
        assert len(page) <= 300
        hits += page
        answer = json.loads((await stub.handle(Asked("POST", "/_search/scroll", {}, b"{}"))).body)
    assert [hit["_id"] for hit in hits] == [json.loads(one.hit)["_id"] for one in expected]
    assert stub.served == len(expected)


async def test_the_stub_knows_when_a_run_has_ended() -> None:
    stub = Elasticsearch([])
    await stub.handle(Asked("POST", "/elastalert_status/_doc", {}, json.dumps({"match_time": iso(DAY)}).encode()))
    assert not stub.done.is_set()
    await stub.handle(Asked("POST", "/elastalert_status_status/_doc", {}, json.dumps({"endtime": iso(DAY)}).encode()))
    assert stub.done.is_set()
