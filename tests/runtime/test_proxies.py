"""Which proxy a URL is reached through, as the environment's variables say, and what is said of variables that cannot be used."""

import ssl
from pathlib import Path

import pytest

from monitor.runtime.certificates import trusted
from monitor.runtime.errors import EnvironmentUnusable
from monitor.runtime.proxies import proxies

PROXY = "http://proxy.example:3128"


def direct(no_proxy: str, url: str) -> bool:
    return proxies({"ALL_PROXY": PROXY, "NO_PROXY": no_proxy}).of(url) is None


@pytest.mark.parametrize(
    ("no_proxy", "url"),
    [
        ("example.org", "https://example.org/hook"),
        ("example.org", "https://a.b.EXAMPLE.org"),
        (".example.org", "https://a.example.org"),
        (".example.org", "https://example.org"),
        ("*.example.org", "https://a.example.org"),
        ("Example.ORG.", "https://example.org"),
        ("localhost,  example.org ", "https://example.org"),
        ("localhost example.org", "https://example.org"),
        ("example.org:8443", "https://example.org:8443"),
        ("example.org:443", "https://example.org"),
        ("http://example.org", "http://example.org"),
        ("*", "https://anything.example"),
        ("127.0.0.1", "http://127.0.0.1:9093"),
        ("127.0.0.1:9093", "http://127.0.0.1:9093"),
        ("10.0.0.0/8", "https://10.200.0.1"),
        ("10.1.2.3/8", "https://10.200.0.1"),
        ("::1", "http://[::1]:9093"),
        ("[::1]", "http://[::1]:9093"),
        ("[::1]:9093", "http://[::1]:9093"),
        ("fd00::/8", "https://[fd12::7]"),
        ("[fd00::]/8", "https://[fd12::7]"),
        ("FD00::/8", "https://[FD12::7]"),
        ("10.0.0.0/8", "https://[::ffff:10.0.0.1]"),
        ("/var/run/docker.sock,localhost", "http://localhost"),
    ],
)
def test_what_no_proxy_names_is_reached_directly(no_proxy: str, url: str) -> None:
    assert direct(no_proxy, url)


@pytest.mark.parametrize(
    ("no_proxy", "url"),
    [
        ("", "https://example.org"),
        ("example.org", "https://badexample.org"),
        ("example.org", "https://example.org.evil.example"),
        ("example.org:8443", "https://example.org"),
        ("http://example.org", "https://example.org"),
        ("10.0.0.0/8", "https://11.0.0.1"),
        ("10.0.0.0/8", "https://10.example.org"),
        ("fd00::/8", "https://[fe80::7]"),
        ("fd00::/8", "https://192.0.2.7"),
        ("[::1]:9093", "http://[::1]:9094"),
        ("/var/run/docker.sock", "https://example.org"),
    ],
)
def test_everything_else_goes_through_the_proxy(no_proxy: str, url: str) -> None:
    assert not direct(no_proxy, url)


def test_each_scheme_has_its_own_proxy_and_all_is_for_the_rest() -> None:
    around = proxies({"HTTPS_PROXY": "secure.example:1", "ALL_PROXY": PROXY})
    assert around.of("https://a.example") == "http://secure.example:1"
    assert around.of("http://a.example") == PROXY


def test_small_letters_go_before_capitals_also_where_they_are_empty() -> None:
    assert proxies({"https_proxy": PROXY, "HTTPS_PROXY": "http://other.example"}).of("https://a.example") == PROXY
    assert proxies({"https_proxy": "", "HTTPS_PROXY": PROXY}).of("https://a.example") is None


def test_a_url_that_is_none_has_no_proxy() -> None:
    assert direct("", "http://[::1")
    assert direct("", "http://a.example:99999")


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("NO_PROXY", "localhost,10.0.0.0/40", "'10.0.0.0/40' is not a host or a network"),
        ("NO_PROXY", "[::1", "'[::1' is not a host or a network"),
        ("NO_PROXY", "fd00::/200", "'fd00::/200' is not a host"),
        ("no_proxy", "a.example/path", "'a.example/path' is not a host"),
        ("ALL_PROXY", "socks5://user:hunter2@127.0.0.1:1080", "a SOCKS proxy (socks5://) is not supported"),
        ("HTTPS_PROXY", "socks5h://127.0.0.1", "a SOCKS proxy (socks5h://) is not supported"),
        ("HTTP_PROXY", "gopher://user:hunter2@127.0.0.1", "begins with http://, not gopher://"),
        ("HTTPS_PROXY", "http://", "this is not the URL of a proxy"),
        ("HTTPS_PROXY", "http://user:hunter2@proxy:port", "this is not the URL of a proxy"),
        ("HTTPS_PROXY", "http://user:hunter2@pro xy:1", "this is not the URL of a proxy"),
        ("HTTPS_PROXY", "http://[::1:3128", "this is not the URL of a proxy"),
    ],
)
def test_the_error_is_that_of_the_variable_at_fault(variable: str, value: str, said: str) -> None:
    with pytest.raises(EnvironmentUnusable) as raised:
        proxies({variable: value})
    assert str(raised.value).startswith(f"environment: {variable}: ")
    assert said in str(raised.value)
    assert "hunter2" not in str(raised.value)
    assert raised.value.exit_code == 78


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(EnvironmentUnusable) as raised:
        proxies({"HTTPS_PROXY": "socks4://x", "HTTP_PROXY": "ftp://x", "NO_PROXY": "[a],[b]"})
    assert len(str(raised.value).splitlines()) == 4


def test_certificates_that_cannot_be_read_are_those_of_their_variable(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("no certificate")
    for file, folder, said in (
        (str(tmp_path / "none"), "", "environment: SSL_CERT_FILE: "),
        (str(empty), "", "environment: SSL_CERT_FILE: "),
        ("", str(tmp_path / "none"), "environment: SSL_CERT_DIR: "),
        ("", str(empty), "environment: SSL_CERT_DIR: "),
    ):
        with pytest.raises(EnvironmentUnusable) as raised:
            trusted(file, folder)
        assert str(raised.value).startswith(said)
    assert trusted("", "").verify_mode == ssl.CERT_REQUIRED


def test_a_proxy_that_wants_tls_is_refused_before_its_password_goes_out_in_clear() -> None:
    with pytest.raises(EnvironmentUnusable, match="HTTPS_PROXY: an https:// proxy is not supported") as raised:
        proxies({"HTTPS_PROXY": "https://user:pa55word@proxy.example:3128"})
    assert "pa55word" not in str(raised.value)
