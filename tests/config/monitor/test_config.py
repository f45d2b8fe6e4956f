"""The configuration: loaded, or refused with every reason."""

import shutil
import socket
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from monitor.config.monitor import Config, Console, Slack, Webhook, load_config
from monitor.config.monitor.exposed_secrets import exposed_files
from monitor.config.settings import load
from monitor.config.yaml import host_only
from monitor.model.routee_query import Filter
from monitor.notify.channels.slack.channel import socket_apps
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND
from monitor.runtime.errors import InputError
from monitor.runtime.postgresql_address import PostgresqlAddress
from tests.fakes.certificates import write_certificate
from tests.fakes.marked import TESTDATA, assert_as_marked

ACCOUNT = "accounts: [{name: main, application_id: id, application_secret: s3cret}]\n"
RULE = "rules: [{name: %s, kind: count, window: 1h, above: 1}]\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("config-good-full", "config-good-small", "config-bad", "config-good-routing", "config-bad-routing"):
        shutil.copy(TESTDATA / f"{name}.yaml", tmp_path)
    (tmp_path / "routee_secret").write_text("from-file\n")
    (tmp_path / "slack_token").write_text(" xoxb-file\n")
    (tmp_path / "slack_hook").write_text("https://hooks.slack.com/services/T/B/X\n")
    return tmp_path


def config_of(folder: Path, text: str, **environ: str) -> Config:
    (folder / "monitor.yaml").write_text(text)
    return load_config(folder / "monitor.yaml", environ)


def problems_of(folder: Path, text: str, **environ: str) -> str:
    with pytest.raises(InputError) as caught:
        config_of(folder, text, **environ)
    assert caught.value.exit_code == 78
    return str(caught.value)


def test_a_full_configuration_loads_with_every_value_in_its_unit(folder: Path) -> None:
    config = load_config(folder / "config-good-full.yaml", {"ROUTEE_APPLICATION_ID": "42"})
    main, other = config.accounts
    assert main.application_id.get_secret_value() == "42"
    assert main.application_secret.get_secret_value() == "from-file"
    assert other.application_id.get_secret_value() == "0123456"
    assert main.api_url == "https://connect.routee.net"
    assert (main.requests_per_second, main.concurrency) == (2.5, 4)
    outbound, campaign = config.searches
    assert outbound.question.filters == (
        Filter("direction", "Outbound"),
        Filter("status.status", "Queued", "is_not"),
        Filter("to", "+30", "starts_with"),
    )
    assert (outbound.every, outbound.settle) == (MINUTE, 10 * SECOND)
    assert [(sweep.back, sweep.every) for sweep in outbound.resweep] == [(HOUR, 5 * MINUTE), (7 * DAY, 6 * HOUR)]
    assert (campaign.question.campaign, campaign.question.tracking_id) == (True, "182d20da")
    assert config.store_location == Path("/var/lib/routee-monitor/monitor.db")
    assert config.route.group_by == ("...",)
    assert config.web is not None
    assert (config.web.host, config.web.port) == ("0.0.0.0", 9465)


def test_an_account_has_the_time_zone_that_people_live_by(folder: Path) -> None:
    written = """accounts:
  - {{name: main, application_id: i, application_secret: s{}}}
receivers: [{{name: ops, console: [{{}}]}}]
rules: [rules.yaml]
store: sqlite:monitor.db
"""
    (folder / "rules.yaml").write_text("rules: []\n")
    assert config_of(folder, written.format("")).accounts[0].time_zone == "UTC"
    assert config_of(folder, written.format(", time_zone: Europe/Athens")).accounts[0].time_zone == "Europe/Athens"
    said = problems_of(folder, written.format(", time_zone: Europe/Atens"))
    assert "monitor.yaml:2:" in said
    assert "accounts[0].time_zone: 'Europe/Atens' is not a time zone; did you mean 'Europe/Athens'?" in said


def test_channels_have_ids_and_secrets_come_from_files(folder: Path) -> None:
    config = load_config(folder / "config-good-full.yaml", {"ROUTEE_APPLICATION_ID": "42"})
    ops, oncall, nobody = config.receivers
    ((_, slack),) = ops.channels
    assert isinstance(slack, Slack)
    assert slack.token == SecretStr("xoxb-file")
    assert slack.api_url == "http://127.0.0.1:9999/api/"
    assert [name for name, _ in oncall.channels] == ["slack/0", "slack/1", "webhook/0", "console/0"]
    kinds = [type(spec) for _, spec in oncall.channels]
    assert kinds == [Slack, Slack, Webhook, Console]
    assert nobody.channels == []


def test_what_is_left_out_has_its_usual_value(folder: Path) -> None:
    config = load_config(folder / "config-good-small.yaml", {})
    (search,) = config.searches
    assert (search.account, search.every, search.settle) == ("main", 30 * SECOND, 0)
    assert len(search.resweep) == 4
    assert config.route.receiver == "ops"
    assert (config.route.group_by, config.route.group_wait, config.route.repeat_interval) == (
        ("alertname",),
        0,
        4 * HOUR,
    )
    assert config.web is None
    assert config.retention == 30 * DAY
    assert config.store_location == folder / "monitor.db"
    assert (config.privacy.recipients, config.log.level) == ("mask", "info")


def test_accounts_alone_are_enough_to_look_at_messages(folder: Path) -> None:
    config = config_of(folder, ACCOUNT)
    assert [(search.name, search.account) for search in config.searches] == [("all", "main")]
    assert [name for name, _ in config.receivers[0].channels] == ["console/0"]
    assert config.web is not None
    assert (config.web.host, config.web.port) == ("127.0.0.1", 9465)


def test_what_only_follows_from_a_wrong_name_is_not_listed(folder: Path) -> None:
    account = "  - {name: main, application_id: a, application_secret: b}\n"
    receiver = "receivers: [{name: ops, console: [{}]}]\n"
    store = "store: sqlite:monitor.db\n"
    assert problems_of(folder, f"accounts:\n{account}{account}{receiver}{store}").count("\n") == 0
    said = problems_of(folder, f"accounts:\n{account}{receiver.replace('ops', '12')}{store}")
    assert "receivers[0].name: should be text" in said
    assert said.count("should be text") == 1


@pytest.mark.parametrize("name", ["config-bad", "config-bad-routing"])
def test_every_problem_is_listed_at_its_line(folder: Path, name: str) -> None:
    path = folder / f"{name}.yaml"
    with pytest.raises(InputError) as caught:
        load_config(path, {})
    assert_as_marked(path, caught.value.problems)


def test_missing_credentials_are_named(folder: Path) -> None:
    said = problems_of(folder, "accounts: [{name: main}]\n")
    assert "application_id: is missing: write application_id or application_id_file" in said
    assert "application_secret: is missing: write application_secret or application_secret_file" in said
    assert "accounts: is missing" in problems_of(folder, "")


def test_credentials_are_found_by_bare_name_where_systemd_puts_them(folder: Path, tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "routee_secret").write_text("from-systemd")
    text = "accounts: [{name: main, application_id: id, application_secret_file: routee_secret}]\n"
    here = config_of(folder, text, CREDENTIALS_DIRECTORY=str(credentials))
    assert here.accounts[0].application_secret.get_secret_value() == "from-systemd"
    elsewhere = config_of(folder, text)
    assert elsewhere.accounts[0].application_secret.get_secret_value() == "from-file"


def test_secrets_are_shown_nowhere(folder: Path) -> None:
    config = load_config(folder / "config-good-full.yaml", {"ROUTEE_APPLICATION_ID": "42"})
    for secret in ("from-file", "s3cret", "xoxb", "hooks.slack.com", "user:pw", "hook-secret"):
        assert secret not in repr(config)
        assert secret not in str(config)
    said = problems_of(
        folder, ACCOUNT + 'receivers: [{name: a, webhook: [{url: "s3cret-place"}], slack: [{token: [xoxb-9]}]}]\n'
    )
    assert "s3cret-place" not in said
    assert "xoxb-9" not in said
    (folder / "slack_hook").write_text("xoxb-not-an-address")
    said = problems_of(folder, ACCOUNT + "receivers: [{name: a, slack: [{webhook_url_file: slack_hook}]}]\n")
    assert "receivers[0].slack[0].webhook_url_file: is not an address" in said
    assert "xoxb" not in said


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:pw@hooks.slack.com/services/T", "https://hooks.slack.com"),
        ("http://[::1]:8080/x?secret=1", "http://[::1]:8080"),
        ("nonsense", "an address that cannot be read"),
        ("http://[", "an address that cannot be read"),
    ],
)
def test_of_an_address_only_scheme_and_host_are_shown(url: str, shown: str) -> None:
    assert host_only(url) == shown
    assert host_only(SecretStr(url)) == shown


@pytest.mark.parametrize("listen", ["127.0.0.1:9465", "localhost:0", "[::1]:9465", "127.8.8.8:1"])
def test_a_listener_on_loopback_needs_no_token(folder: Path, listen: str) -> None:
    assert config_of(folder, ACCOUNT + f'web: {{listen: "{listen}"}}\n').web


@pytest.mark.parametrize("listen", ["0.0.0.0:9465", ":9465", "*:9465", "[::]:9465", "example.org:80"])
def test_a_listener_that_others_can_reach_needs_a_token(folder: Path, listen: str) -> None:
    assert "a token is needed" in problems_of(folder, ACCOUNT + f'web: {{listen: "{listen}"}}\n')
    assert config_of(folder, ACCOUNT + f'web: {{listen: "{listen}", token: an-abc-of-16-chars}}\n').web


def test_a_token_that_other_machines_may_guess_is_refused(folder: Path) -> None:
    assert "at least 16 characters" in problems_of(
        folder, ACCOUNT + 'web: {listen: "0.0.0.0:9465", token: fifteen-letters}\n'
    )
    assert config_of(folder, ACCOUNT + "web: {token: short}\n").web, "on loopback it only keeps honest people out"


@pytest.mark.parametrize(
    "secret", ["whsec_", "whsec_c2hvcnQ=", "whsec_!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!", "whsec_" + "A" * 33]
)
def test_a_signing_key_that_is_none_is_refused(folder: Path, secret: str) -> None:
    said = problems_of(
        folder, ACCOUNT + f'receivers: [{{name: a, webhook: [{{url: "http://a", secret: "{secret}"}}]}}]\n'
    )
    assert "is not base64 of at least 24 bytes" in said


@pytest.mark.parametrize(
    "secret", ["whsec_" + "A" * 32, "whsec_" + "A" * 43 + "=", "whsec_" + "A" * 43, "a plain password"]
)
def test_a_signing_key_may_leave_out_padding_or_be_plain(folder: Path, secret: str) -> None:
    assert config_of(
        folder, ACCOUNT + f'receivers: [{{name: a, webhook: [{{url: "http://a", secret: "{secret}"}}]}}]\n'
    )


@pytest.mark.parametrize("name", ["https://a.example.org", "a.example.org:80", "a b", "", "*"])
def test_what_is_no_name_of_a_host(folder: Path, name: str) -> None:
    assert "web.allowed_hosts[0]" in problems_of(folder, ACCOUNT + f'web: {{allowed_hosts: ["{name}"]}}\n')


@pytest.mark.parametrize(
    ("folder_mode", "file_mode", "exposed"), [(0o755, 0o644, True), (0o755, 0o640, False), (0o700, 0o644, False)]
)
def test_a_secret_file_that_everybody_can_read_is_named(folder_mode: int, file_mode: int, exposed: bool) -> None:
    with TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(folder_mode)
        (place / "web_token").write_text("a-token-of-the-web")
        (place / "web_token").chmod(file_mode)
        config = config_of(place, ACCOUNT + "web: {token_file: web_token}\n")
        assert exposed_files(config, place, {}) == ([(place / "web_token")] if exposed else [])


@pytest.mark.parametrize("listen", ["9465", "127.0.0.1", "::1:9465", "127.0.0.1:x", "127.0.0.1:70000"])
def test_what_is_no_address_to_listen_on(folder: Path, listen: str) -> None:
    assert "should be an address like" in problems_of(folder, ACCOUNT + f'web: {{listen: "{listen}"}}\n')


@pytest.mark.parametrize("store", ["sqlite://x", "sqlite:", "sqlite:///", "mysql://x", "monitor.db"])
def test_what_is_no_store(folder: Path, store: str) -> None:
    assert "should be sqlite:///absolute/path" in problems_of(folder, ACCOUNT + f"store: '{store}'\n")


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://monitor@db.example.org/sms",
        "postgresql://monitor@[::1]:5433/sms?sslmode=verify-full",
        "postgresql:///sms?host=/run/postgresql",
    ],
)
def test_a_store_in_postgresql(folder: Path, address: str) -> None:
    config = config_of(folder, ACCOUNT + f"store: '{address}'\n")
    assert str(config.store_location) == address


def test_a_stores_password_comes_from_the_address_a_key_or_a_file_and_is_never_shown(folder: Path) -> None:
    (folder / "password").write_text("p@ss/w:rd\n")
    address = "store: postgresql://monitor@127.0.0.1/sms\n"
    for written in (
        address + "store_password: p@ss/w:rd\n",
        address + "store_password_file: password\n",
        "store: postgresql://monitor:p%40ss%2Fw%3Ard@127.0.0.1/sms\n",
    ):
        config = config_of(folder, ACCOUNT + written)
        location = config.store_location
        assert isinstance(location, PostgresqlAddress)
        assert location.password == "p@ss/w:rd"
        for shown in (repr(config), repr(location), str(location), config.store):
            assert "p@ss" not in shown
            assert "p%40ss" not in shown


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("store: postgresql://monitor:hunter22@127.0.0.1/\n", "store: is no address of a database"),
        ("store: postgresql://monitor:hunter22/@127.0.0.1/sms\n", "store: is no address of a database"),
        ("store: postgresql://monitor:hunter22@127.0.0.1:x/sms\n", "store: is no address of a database"),
        ("store: postgresql://127.0.0.1/sms?password=hunter22\n", "store: password must not stand there"),
        ("store: postgresql://127.0.0.1/sms?sslmode=no\n", "store: sslmode is one of disable"),
        ("store: postgresql://a:hunter22@127.0.0.1/sms\nstore_password: hunter22\n", "store: has a password already"),
        ("store: sqlite:monitor.db\nstore_password: hunter22\n", "store_password: a store in SQLite has no password"),
    ],
)
def test_what_is_no_store_in_postgresql(folder: Path, written: str, why: str) -> None:
    said = problems_of(folder, ACCOUNT + written)
    assert why in said
    assert "hunter22" not in said


def test_with_several_accounts_a_search_says_which_and_a_route_says_whom(folder: Path) -> None:
    text = "accounts: [{name: a, application_id: i, application_secret: s}, {name: b, application_id: i, application_secret: s}]\n"
    assert [(s.name, s.account) for s in config_of(folder, text).searches] == [("all", "a"), ("all", "b")]
    assert "searches[0].account: is missing" in problems_of(folder, text + "searches: [{name: x}]\n")
    said = problems_of(folder, text + "searches: [{name: x, account: c}]\nreceivers: [{name: p}, {name: q}]\n")
    assert "searches[0].account: no account is named 'c'" in said
    assert "route.receiver: is missing: write who gets what no other route takes, as in route: {receiver: p}" in said
    assert "the receivers are p, q" in said
    assert "no receiver is named 'opps'; did you mean 'ops'?" in problems_of(
        folder, ACCOUNT + "receivers: [{name: ops}, {name: oncall}]\nroute: {receiver: opps}\n"
    )


def test_rule_files_are_found_by_glob_folder_and_name_without_their_tests(folder: Path) -> None:
    for name in ("rules/a.yaml", "rules/b.yml", "rules/tests/t.yaml", "rules/more/c.yaml", "one.yaml"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(RULE % Path(name).stem)
    config = config_of(folder, ACCOUNT + "rules: [rules/*.yaml, one.yaml, rules, 'rules/**/*.yaml']\n")
    assert [path.name for path in config.rule_files] == ["a.yaml", "one.yaml", "b.yml", "c.yaml"]


def test_a_pattern_that_names_no_file_is_a_problem_at_its_place(folder: Path) -> None:
    said = problems_of(folder, ACCOUNT + "rules: [one.yaml, 'x/*.yaml', '**bad']\ntemplates: [t/*.j2]\n")
    assert ":2:9: rules[0]: 'one.yaml' matches no file" in said
    assert ":2:19: rules[1]: 'x/*.yaml' matches no file" in said
    assert "rules[2]: '**bad'" in said
    assert "templates[0]: 't/*.j2' matches no file" in said


def test_an_empty_folder_is_said_to_be_empty(folder: Path) -> None:
    (folder / "rules" / "tests").mkdir(parents=True)
    (folder / "rules" / "tests" / "t.yaml").write_text(RULE % "T")
    (folder / "letters").mkdir()
    said = problems_of(folder, ACCOUNT + "rules: [rules]\ntemplates: [letters]\n")
    assert "rules[0]: the folder 'rules' has no file *.yaml or *.yml in it (folders named 'tests' are left out)" in said
    assert "templates[0]: the folder 'letters' has no file *.j2 in it" in said


def settings_problems(folder: Path, config: str, rules: str) -> InputError:
    (folder / "monitor.yaml").write_text(config)
    (folder / "r.yaml").write_text(rules)
    with pytest.raises(InputError) as caught:
        load(folder / "monitor.yaml", {})
    return caught.value


def test_settings_are_configuration_and_rules_together(folder: Path) -> None:
    (folder / "r.yaml").write_text(RULE % "A")
    (folder / "monitor.yaml").write_text(ACCOUNT + "rules: [r.yaml]\n")
    settings = load(folder / "monitor.yaml", {})
    assert [rule.name for rule in settings.rules] == ["A"]
    assert settings.config.accounts[0].name == "main"


def test_bad_rules_exit_with_65_and_a_bad_configuration_beside_them_with_78(folder: Path) -> None:
    bad_rules = "rules: [{name: A, kind: count, window: 1h, above: 20%}]\n"
    assert settings_problems(folder, ACCOUNT + "rules: [r.yaml]\n", bad_rules).exit_code == 65
    both = settings_problems(folder, ACCOUNT + "rules: [r.yaml]\nretention: x\n", bad_rules)
    assert both.exit_code == 78
    assert "retention" in str(both)
    assert "is a share" in str(both)


@pytest.mark.parametrize(
    ("config", "rule", "said"),
    [
        ("", "search: outbond", "search: no search is named 'outbond'; did you mean 'outbound'?"),
        ("retention: 1d\n", "window: 2d", "looks 2d back, but messages are kept for 1d"),
        ("", "match: {to: {starts_with: +30}}", "match.to: numbers are masked"),
        ("", "where: {account: mian}", "where.account: no account is named 'mian'; did you mean 'main'?"),
    ],
)
def test_rules_must_go_with_the_configuration(folder: Path, config: str, rule: str, said: str) -> None:
    text = ACCOUNT + "searches: [{name: outbound}]\nrules: [r.yaml]\n" + config
    window = "" if "window" in rule else "window: 1h, "
    error = settings_problems(folder, text, f"rules:\n  - {{name: A, kind: count, above: 1, {window}{rule}}}\n")
    assert error.exit_code == 65
    assert "r.yaml:2:" in str(error)
    assert said in str(error)


def test_campaigns_need_messages_of_a_week_since_what_is_forgotten_would_count_as_never_sent(folder: Path) -> None:
    rules = "rules: [{name: A, kind: campaign, short_below: 95%}]\n"
    error = settings_problems(folder, ACCOUNT + "rules: [r.yaml]\nretention: 3d\n", rules)
    assert error.exit_code == 65
    assert "looks 7d back, but messages are kept for 3d" in str(error)


def test_with_numbers_shown_a_rule_may_look_into_them(folder: Path) -> None:
    (folder / "monitor.yaml").write_text(ACCOUNT + "rules: [r.yaml]\nprivacy: {recipients: show}\n")
    (folder / "r.yaml").write_text(
        "rules: [{name: A, kind: count, above: 1, window: 1h, match: {to: {starts_with: +30}}}]\n"
    )
    assert load(folder / "monitor.yaml", {}).rules


def test_a_missing_configuration_is_one_line(folder: Path) -> None:
    with pytest.raises(InputError) as caught:
        load(folder / "none.yaml", {})
    assert caught.value.exit_code == 78
    assert str(caught.value) == f"{folder / 'none.yaml'}:1:1: cannot be read: No such file or directory"


words = st.sampled_from(
    [
        "accounts",
        "name",
        "main",
        "application_id",
        "searches",
        "rules",
        "receivers",
        "slack",
        "route",
        "web",
        "listen",
        "store",
        "privacy",
        "log",
        "off",
        "~",
        "a/*.yaml",
        "/dev/null",
        "..",
        "1h",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "-",
        "${X}",
    ]
)
soup = st.lists(words | st.sampled_from([" ", "\n", "\n  - ", ": "]), max_size=40).map("".join)


@given(soup.map(str.encode) | st.binary(max_size=100))
def test_whatever_the_file_holds_nothing_but_an_input_error_comes_out(tmp_path_factory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "soup.yaml"
    path.write_bytes(ACCOUNT.encode() + content)
    try:
        load(path, {})
    except InputError as error:
        listed = error.problems
    else:
        return
    assert listed


def test_an_empty_list_of_searches_polls_nothing_and_is_refused(folder: Path) -> None:
    assert "searches: needs at least one search" in problems_of(folder, ACCOUNT + "searches: []\n")


SLACK = """
accounts: [{name: main, application_id: a, application_secret: b}]
receivers: [{name: ops, slack: [%s]}]
"""


def test_slack_can_have_charts_and_buttons(folder: Path) -> None:
    (folder / "slack_app_token").write_text("xapp-1-file\n")
    entry = '{channel: "#a", token: xoxb-1, chart: true, app_token_file: slack_app_token}'
    config = config_of(folder, SLACK % entry)
    [(_, slack)] = config.receivers[0].of(Slack)
    assert slack.chart
    assert slack.app_token is not None
    assert slack.app_token.get_secret_value() == "xapp-1-file"
    assert "xapp" not in repr(config)
    assert socket_apps(config) == [("xapp-1-file", "https://slack.com/api/")]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (
            '{channel: "#a", token: xoxb-1, app_token: xoxb-2}',
            "slack[0].app_token: is not an app-level token: those begin with xapp-",
        ),
        (
            '{channel: "#a", token: xoxb-1, app_token_file: slack_token}',
            "slack[0].app_token_file: is not an app-level token",
        ),
        ("{webhook_url_file: slack_hook, chart: true}", "slack[0].chart: needs a bot token"),
        ("{webhook_url_file: slack_hook, app_token: xapp-1}", "slack[0].app_token: needs a bot token"),
        ('{channel: "#a", token: xoxb-1, charts: true}', "did you mean 'chart'"),
        ('{channel: "#a", token: xoxb-1, chart: "yes"}', "slack[0].chart: "),
    ],
)
def test_charts_and_buttons_need_the_right_tokens(folder: Path, entry: str, said: str) -> None:
    problems = problems_of(folder, SLACK % entry)
    assert said in problems
    assert "xoxb-2" not in problems


def test_the_listeners_certificate_is_found_and_checked_with_the_configuration(folder):
    write_certificate(folder)
    tls = ACCOUNT + "web: {tls: {cert_file: tls.crt, key_file: %s}}\n"
    web = config_of(folder, tls % "tls.key").web
    assert web is not None
    assert web.tls is not None
    assert web.scheme == "https"
    assert web.tls.certificate.der
    assert web == config_of(folder, tls % "tls.key").web
    assert "web.tls.key_file: the file" in problems_of(folder, tls % "none.key")
    assert "web.tls.key_file" in problems_of(folder, ACCOUNT + "web: {tls: {cert_file: tls.crt}}\n")
    write_certificate(folder, "other")
    assert "does not belong to the certificate" in problems_of(folder, tls % "other.key")
    assert web != config_of(folder, (tls % "other.key").replace("tls.crt", "other.crt")).web


def test_a_misspelt_store_is_one_problem_and_not_a_password_that_should_go(folder: Path) -> None:
    text = "accounts: [{name: main, application_id: a, application_secret: b}]\nstroe: postgresql://a@b/c\nstore_password: x\n"
    with pytest.raises(InputError) as caught:
        config_of(folder, text)
    assert [(one.path, one.message) for one in caught.value.problems] == [
        ("stroe", "unknown key; did you mean 'store'?")
    ]


def test_a_daemon_that_listens_everywhere_may_be_reached_by_the_name_by_which_it_leads_others_to_itself(
    folder: Path,
) -> None:
    text = (
        ACCOUNT
        + 'web: {listen: "0.0.0.0:9465", token: 0123456789abcdef0123456789abcdef, allowed_hosts: [sms.internal]}\n'
    )
    web = config_of(folder, text).web
    assert web is not None
    named = urlsplit(web.own_url).hostname
    assert named == socket.gethostname().lower()
    assert set(web.names("https://sms.example.com/monitor")) >= {named, "sms.example.com", "sms.internal"}


@pytest.mark.parametrize("route", ["5", "true", "[a]", "text", "[]", "null"])
def test_a_route_of_another_form_is_an_error_with_its_place(tmp_path: Path, route: str) -> None:
    (tmp_path / "monitor.yaml").write_text(f"route: {route}\n")
    with pytest.raises(InputError) as caught:
        load(tmp_path / "monitor.yaml", {})
    assert any(problem.path == "route" and problem.line == 1 for problem in caught.value.problems)
