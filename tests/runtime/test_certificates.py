"""The certificates that connections trust are read before the first connection needs them."""

import pytest

from monitor.runtime.certificates import read_ahead, trust, trusted


def test_certificates_are_read_once_and_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    trusted.cache_clear()
    read_ahead().join(60)
    assert trusted.cache_info().misses == 1
    assert trust().cert_store_stats()["x509_ca"] > 50
    assert trusted.cache_info().misses == 1


def test_what_the_environment_chooses_is_left_to_those_who_report_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent.pem")
    trusted.cache_clear()
    read_ahead().join(60)
    assert trusted.cache_info().misses == 0
