"""Behind a company's proxy: every way out, with the company's own certificates, as the environment says."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trio

from tests.fakes.proxy import FakeProxy, company_proxy
from tests.fakes.routee import local_routee
from tests.fakes.slack import TOKEN, slack
from tests.fakes.webhook import FakeWebhook, webhook

pytestmark = pytest.mark.e2e

CONFIG = """\
accounts:
  - {{name: main, application_id: sandbox, application_secret: sandbox-secret, api_url: "{routee}", auth_url: "{routee}"}}
searches: [{{name: all}}]
rules: [rules.yaml]
receivers:
  - name: ops
    slack: [{{channel: "#sms-ops", token: {token}, api_url: "{slack}/api/"}}]
    webhook: [{{url: "{hook}/hook/very-secret-path"}}]
"""
NAMES = {"routee": "https://routee.example", "slack": "https://slack.example", "hook": "https://hook.example"}
UNSET = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"}


@dataclass
class Company:
    proxy: FakeProxy
    hook: FakeWebhook
    direct: dict[str, str]
    folder: Path

    @property
    def certificates(self) -> str:
        file = self.folder / "company.pem"
        self.proxy.authority.cert_pem.write_to_path(str(file))
        return str(file)

    async def run(self, *command: str, urls: Mapping[str, str], **environment: str) -> tuple[int, str]:
        """Run a command with these ways to the outside; its exit code and all that it printed."""
        config = self.folder / "monitor.yaml"
        (self.folder / "rules.yaml").write_text("rules: [{name: Many, kind: count, window: 5m, above: 1000000}]\n")
        config.write_text(CONFIG.format(token=TOKEN, **urls))
        clean = {name: value for name, value in os.environ.items() if name.upper() not in UNSET}
        done = await trio.run_process(
            [sys.executable, "-m", "monitor", *command, "--config", str(config)],
            env=clean | environment,
            capture_stdout=True,
            stderr=subprocess.STDOUT,
            check=False,
        )
        return done.returncode, (done.stdout or b"").decode()


@pytest.fixture
async def company(tmp_path: Path) -> AsyncIterator[Company]:
    async with outside(tmp_path) as made:
        yield made


@asynccontextmanager
async def outside(folder: Path) -> AsyncIterator[Company]:
    async with local_routee() as routee, slack() as team, webhook() as hook:
        direct = {"routee": routee.url, "slack": team.url, "hook": hook.url.removesuffix("/hook/very-secret-path")}
        ports = {urlsplit(NAMES[name]).hostname or "": urlsplit(url).port or 0 for name, url in direct.items()}
        async with company_proxy(ports) as proxy:
            yield Company(proxy, hook, direct, folder)


async def test_routee_slack_and_webhooks_are_reached_through_the_proxy(company: Company) -> None:
    around = {"HTTPS_PROXY": company.proxy.url, "SSL_CERT_FILE": company.certificates}
    code, printed = await company.run("check", "--online", urls=NAMES, **around)
    assert code == 0, printed
    assert {"routee.example", "slack.example"} <= set(company.proxy.asked)
    code, printed = await company.run("send-test", "ops", urls=NAMES, **around)
    assert code == 0, printed
    assert "hook.example" in company.proxy.asked
    assert len(company.hook.asked) == 2, "the test, and its end"


async def test_one_proxy_for_everything_and_a_folder_of_certificates_do_as_well(company: Company) -> None:
    folder = company.folder / "certificates"
    folder.mkdir()
    company.proxy.authority.cert_pem.write_to_path(str(folder / "company.pem"))
    subprocess.run(["openssl", "rehash", str(folder)], check=True)
    around = {"ALL_PROXY": company.proxy.url, "SSL_CERT_DIR": str(folder)}
    code, printed = await company.run("check", "--online", urls=NAMES, **around)
    assert code == 0, printed


async def test_what_is_excepted_from_the_proxy_is_reached_without_it(company: Company) -> None:
    proxies = {"HTTP_PROXY": company.proxy.url, "HTTPS_PROXY": company.proxy.url, "NO_PROXY": "127.0.0.1"}
    for command in (["check", "--online"], ["send-test", "ops"]):
        code, printed = await company.run(*command, urls=company.direct, **proxies)
        assert code == 0, printed
    assert company.proxy.asked == []


async def test_a_network_of_addresses_is_excepted_too(company: Company) -> None:
    proxies = {"HTTP_PROXY": company.proxy.url, "NO_PROXY": "fd00::/8,[::1],127.0.0.0/8"}
    for command in (["check", "--online"], ["send-test", "ops"]):
        code, printed = await company.run(*command, urls=company.direct, **proxies)
        assert code == 0, printed
    assert company.proxy.asked == []


@pytest.mark.parametrize(
    "command",
    [
        ["check"],
        ["check", "--online"],
        ["run"],
        ["send-test", "ops"],
        ["search", "all"],
        ["track", "8f2d"],
        ["campaign", "8f2d"],
        ["backtest", "--from-api"],
    ],
    ids=" ".join,
)
async def test_whatever_needs_a_client_blames_the_variable_at_fault(company: Company, command: list[str]) -> None:
    code, printed = await company.run(*command, urls=company.direct, ALL_PROXY="socks5://user:hunter2@127.0.0.1:1")
    assert code == 78, printed
    [said] = [line for line in printed.splitlines() if "proxy" in line.lower()]
    assert said.startswith("environment: ALL_PROXY: a SOCKS proxy (socks5://) is not supported")
    assert "hunter2" not in printed


async def test_without_the_companys_certificates_nothing_is_sent_and_the_reason_is_told(company: Company) -> None:
    code, printed = await company.run("check", "--online", urls=NAMES, HTTPS_PROXY=company.proxy.url)
    assert code == 69
    assert "SSL_CERT_FILE" in printed
    code, printed = await company.run("send-test", "ops", urls=NAMES, HTTPS_PROXY=company.proxy.url)
    assert code == 69
    assert printed.count("SSL_CERT_FILE") == 2
    assert company.hook.asked == []
