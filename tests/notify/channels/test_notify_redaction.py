"""What a receiver repeats of a request's secrets, in whatever way it writes them, is not told."""

import base64

import pytest

from monitor.notify.channels.redaction import authorisation, redacted

URL = "https://hooks.example.org/services/T00/B00/sEcReTsEgMeNt?token=qUeRyToKeN&x=1"
HEADERS = {"Authorization": "Basic " + base64.b64encode(b"ann:open-sesame").decode()}
SECRETS = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYq=", "hEaDeRsEcReT", *authorisation(HEADERS))


@pytest.mark.parametrize(
    "answer",
    [
        "no such hook sEcReTsEgMeNt",
        "bad token qUeRyToKeN",
        "key hEaDe\x00rSeC\x00ReT",
        "key hEaDe\u200brSeC\u202eReT",
        '{"error": "bad path \\/services\\/T00\\/B00\\/sEcReTsEgMeNt"}',
        '{"error": "\\u0073EcReTsEgMeNt"}',
        "the key is MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYq",
        "ann:open-sesame is wrong",
        "the password open-sesame is wrong",
        "SERVICES/T00/B00/SECRETSEGMENT",
        "%73EcReTsEgMeNt",
        "%2573EcReTsEgMeNt",
        "&#115;EcReTsEgMeNt",
        "services/T00/B00/sEcReTsEgMeNt?token=qUeRyToKeN",
        " " * 2030 + "hEaDeRsEcR",
    ],
)
def test_no_way_of_writing_shows_a_secret(answer: str) -> None:
    said = redacted(answer, URL, SECRETS).lower()
    for secret in ("sEcReTsEg", "qUeRyTo", "hEaDeR", "MfKQ9r8G", "sesame"):
        assert secret.lower() not in said
    assert "…" in said


def test_what_is_no_secret_is_told() -> None:
    assert redacted('{"error": "invalid_payload"}', URL, SECRETS) == '{"error": "invalid_payload"}'


def test_a_short_word_of_the_path_is_told() -> None:
    assert redacted("no services here", "https://example.org/hooks/services-1/abc", ()) == "no services here"


@pytest.mark.parametrize(
    "answer",
    [
        "two words secret+1",
        "two+words+secret%2B1",
        "two%20words%20secret%2B1",
        "two+words+secret+1",
        *(base64.b64encode(before + b"two words secret+1" + b"!").decode() for before in (b"", b"a", b"ab", b"user:")),
        base64.urlsafe_b64encode(b"two words secret+1").decode(),
    ],
)
def test_a_secret_is_not_told_in_the_encoding_of_forms_or_in_base64(answer: str) -> None:
    said = redacted(f"no access for {answer} today", "https://example.org/", ["two words secret+1"])
    assert said.startswith("no access for ")
    assert "…" in said
    assert said.endswith(" today")
    for part in ("two", "secret", "d29yZHMgc2Vj", "3b3JkcyBzZWNy", "dvcmRzIHNlY3J"):
        assert part not in said


def test_short_values_are_hidden_as_words_not_within_others() -> None:
    said = redacted("status invalid: us, in, team_us, pass1 and US", "https://example.org/", ["us", "in", "pass1"])
    assert said == "status invalid: …, …, team_…, … and …"


def test_a_short_path_is_hidden_after_any_host() -> None:
    assert redacted("no hook at example.net/s3cret", "https://example.org/s3cret", ()) == "no hook at example.net…"
