"""Numbers of people and what messages say: nothing of them is kept that `privacy` does not allow, and bodies never."""

from pathlib import Path
from typing import Any

import pytest
from e2e_folder import account, message, write
from e2e_folder import hook as receivers
from e2e_hook import hook
from e2e_stage import EACH_ALONE, FAILING, SEARCH, fast_clock, routee, running

from monitor.runtime.clock import SECOND
from monitor.simulation.sandbox import Sandbox
from tests.fakes.listener import ask
from tests.fakes.postgresql import PostgresqlServer
from tests.fakes.waiting import until

pytestmark = pytest.mark.e2e

TO, INBOUND_FROM, BODY = "306917777701", "306917777702", "your code is 777703"
"""Without what masking keeps of them they are not found."""
ODD_TO, IN_A_BODY, IN_A_NOTE = "306917777704", "306917777705", "306917777706"


def put_people(sandbox: Sandbox) -> None:
    """Ten people who got a message, one who wrote one, and one of whom Routee writes oddly."""
    now = sandbox.now()
    for number in range(10):
        sandbox.put(message(f"m{number}", "Failed", now - SECOND, to=f"+{TO}", body=BODY), sent=now - SECOND)
    person = {"from": f"+{INBOUND_FROM}", "to": "+302100000000", "direction": "Inbound", "body": BODY}
    sandbox.put(message("in", "Delivered", now - SECOND, **person), sent=now - SECOND)
    odd = message("odd", "Failed", now - SECOND, to=f"+{ODD_TO}", body=f"call {IN_A_BODY}")
    sandbox.put(odd | {"parts": "many", "part": [], "note": f"for {IN_A_NOTE}"}, sent=now - SECOND)


@pytest.mark.parametrize("mode", ["mask", "hash", "show"])
async def test_people_are_kept_and_told_of_as_privacy_says(
    request: pytest.FixtureRequest, tmp_path: Path, store_in: dict[str, Any], mode: str
) -> None:
    clock = fast_clock()
    sandbox = Sandbox(clock)
    put_people(sandbox)
    rules = [FAILING | {"by": ["operator"]}, FAILING | {"name": "Senders", "kind": "count", "by": ["from"], "above": 0}]
    async with routee(sandbox) as url, hook() as told:
        config = write(
            tmp_path,
            rules,
            accounts=[account(url)],
            searches=[SEARCH],
            receivers=receivers(told.url),
            route=EACH_ALONE,
            privacy={"recipients": mode},
            **store_in,
        )
        async with running(config, clock) as daemon:
            await until(lambda: {"Failing", "Senders"} <= set(told.names("firing")), "both rules to be told")
            shown = [(await ask(daemon.url, path)).body for path in ("/metrics", "/api/v2/alerts", "/readyz")]
    if store_in:
        server: PostgresqlServer = request.getfixturevalue("postgresql_server")
        kept = server.contents(request.getfixturevalue("postgresql"))
    else:
        kept = b"".join(file.read_bytes() for file in tmp_path.glob("monitor.db*"))
    out = kept + b"".join(one.body for one in told.taken) + "".join(shown).encode()
    assert b"Senders" in out
    assert BODY.encode() not in out
    for number in (IN_A_BODY, IN_A_NOTE):
        assert number.encode() not in out
    for number in (TO, INBOUND_FROM, ODD_TO):
        assert (number.encode() in out) == (mode == "show")
        assert (number[:5].encode() + "•".encode() in out) == (mode == "mask")
