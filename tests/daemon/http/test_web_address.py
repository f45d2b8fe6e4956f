import pytest

from monitor.daemon.http.address import Address
from monitor.runtime.errors import ListenError


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("127.0.0.1:9465", "127.0.0.1", 9465), ("[::1]:80", "::1", 80), (":0", "", 0), (" localhost:1 ", "localhost", 1)],
)
def test_is_read_as_people_write_it(text, host, port):
    assert Address.parse(text) == Address(host, port)


@pytest.mark.parametrize(
    "text", ["", "9465", "host", "host:", "host:x", "::1:80", "host:65536", "[::1]", "[h]:1:2", "h:٣"]
)
def test_anything_else_is_one_line_that_shows_the_form(text):
    with pytest.raises(ListenError, match=r"127\.0\.0\.1:9465") as error:
        Address.parse(text)
    assert "\n" not in str(error.value)


def test_is_written_as_it_was_read():
    assert [str(Address.parse(text)) for text in ("a:1", "[::1]:2")] == ["a:1", "[::1]:2"]


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("0.0.0.0:1", "http://127.0.0.1:1"),
        ("[::]:1", "http://[::1]:1"),
        (":1", "http://127.0.0.1:1"),
        ("10.0.0.1:1", "http://10.0.0.1:1"),
    ],
)
def test_a_wildcard_is_reached_over_loopback(text, url):
    assert Address.parse(text).url() == url
