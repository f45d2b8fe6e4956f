"""Schemathesis asks the running daemon for everything that its OpenAPI document allows, and for what it does not."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import trio
from e2e_folder import account, write
from e2e_stage import EACH_ALONE, FAILING, NOW, SEARCH, put_operator, routee, running, until_polled

from monitor.runtime.clock import TrioClock
from monitor.simulation.sandbox import Sandbox

pytestmark = pytest.mark.e2e

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


async def test_no_request_makes_the_api_fail_or_answer_otherwise_than_it_says(tmp_path: Path) -> None:
    tester = shutil.which("schemathesis", path=str(Path(sys.executable).parent))
    if tester is None:
        pytest.skip("LEFT OUT: schemathesis is not installed")
    clock = TrioClock(NOW)
    sandbox = Sandbox(clock)
    put_operator(sandbox, "Cosmote", failed=8)
    put_operator(sandbox, "Nova", failed=0)
    async with routee(sandbox) as url:
        config = write(tmp_path, [FAILING], accounts=[account(url)], searches=[SEARCH], route=EACH_ALONE)
        async with running(config, clock) as daemon:
            await until_polled(daemon, NOW)
            command = [tester, "run", f"{daemon.url}/api/v1/openapi.json", "--checks", CHECKS, "--seed", "1"]
            command += ["--generation-deterministic", "--max-examples", "8", "--phases", "examples,coverage,fuzzing"]
            command += ["--no-color", "--suppress-health-check", "all"]
            done = await trio.run_process(
                command, capture_stdout=True, stderr=subprocess.STDOUT, check=False, cwd=tmp_path
            )
    assert done.returncode == 0, done.stdout.decode()[-8000:]
