"""The templates of the pages."""

from importlib.resources import files

from monitor.daemon.http.html_pages import _templates, prepare


def test_every_template_is_compiled_ahead_so_that_no_first_visitor_delays_the_daemon() -> None:
    prepare()
    compiled = {name for _, name in _templates().cache or ()}
    written = {one.name for one in files("monitor.daemon.http").joinpath("pages").iterdir()}
    assert compiled == {name for name in written if name.endswith(".html")}
