"""The address of a PostgreSQL database: read, shown again without its password, and never repeated where it is wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.runtime.postgresql_address import PostgresqlAddress, parse_postgresql

WORDS = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=20)
HOSTS = st.one_of(
    st.sampled_from(["127.0.0.1", "db.example.org", "::1", "fe80::1%eth0", "/run/postgresql", "@abstract", "/a:b", ""]),
    WORDS.filter(lambda word: "," not in word).map("/run/{}".format),
)


def test_an_address_has_its_parts() -> None:
    address = parse_postgresql("postgres://ann:s%40c@db.example.org:5433/sms%20x?sslmode=require")
    assert address == PostgresqlAddress("db.example.org", 5433, "ann", "sms x", (("sslmode", "require"),), "s@c")
    assert str(address) == "postgresql://ann@db.example.org:5433/sms%20x?sslmode=require"


def test_the_folder_of_a_socket_can_stand_for_the_host() -> None:
    address = parse_postgresql("postgresql://%2Frun%2Fpostgresql/sms")
    assert address.host == "/run/postgresql"
    assert str(address) == "postgresql://%2Frun%2Fpostgresql/sms"


@given(HOSTS, WORDS, WORDS, WORDS)
def test_what_is_shown_is_the_same_database_without_the_password(
    host: str, user: str, database: str, password: str
) -> None:
    address = PostgresqlAddress(host, 5432, user, database.replace("/", "-"), password=password)
    again = parse_postgresql(str(address))
    assert again == address.with_password("")
    assert "password" not in repr(address)


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://",
        "postgresql://127.0.0.1",
        "postgresql://127.0.0.1/",
        "postgresql://a:s3cret@127.0.0.1:port/x",
        "postgresql://a:s3cret@127.0.0.1:0/x",
        "postgresql://a:s3cret@127.0.0.1/x/y",
        "postgresql://a:s3cret@[::1/x",
        "postgresql://a:s3cret#@127.0.0.1/x",
        "postgresql://a:s3cret@one,two/x",
        "postgresql://a:s3cret@one%2Ctwo/x",
        "postgresql://a:s3cret@127.0.0.1/x%0Ay",
        "postgresql://a:s3cret@127.0.0.1/x?dbname=y",
        "postgresql://127.0.0.1/x?password=s3cret",
        "mysql://a:s3cret@127.0.0.1/x",
    ],
)
def test_what_is_wrong_is_not_repeated(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_postgresql(text)
    assert "s3cret" not in str(caught.value)
