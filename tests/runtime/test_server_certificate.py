import subprocess
import time

import pytest

from monitor.runtime.server_certificate import CertificateProblem, ServerCertificate
from tests.fakes.certificates import write_certificate

DAY = 86_400.0


def test_a_certificate_that_holds_has_no_warning(tmp_path):
    loaded = ServerCertificate.load(*write_certificate(tmp_path))
    assert loaded.warning(time.time()) == ""


@pytest.mark.parametrize(("days", "says"), [(-1, "has expired: renew it"), (5, "the certificate ends on 20")])
def test_one_that_is_over_or_nearly_is_warned_of(tmp_path, days, says):
    assert says in ServerCertificate.load(*write_certificate(tmp_path, days=days)).warning(time.time())


def test_only_the_clock_that_is_handed_in_counts(tmp_path):
    one = ServerCertificate.load(*write_certificate(tmp_path, days=90))
    over = ServerCertificate.load(*write_certificate(tmp_path, "over", days=-1))
    now = time.time()
    assert over.warning(now - 20 * DAY) == ""
    said = [one.warning(now + days * DAY) for days in (-101, -99, 75, 80, 91)]
    assert said[:3] == ["the certificate is not valid yet", "", ""]
    assert said[3].startswith("the certificate ends on 20")
    assert said[4] == "the certificate has expired: renew it"


def test_two_are_equal_if_their_files_hold_the_same(tmp_path):
    files, others = write_certificate(tmp_path), write_certificate(tmp_path, "other")
    assert ServerCertificate.load(*files) == ServerCertificate.load(*files)
    assert ServerCertificate.load(*files) != ServerCertificate.load(*others)


def test_what_is_wrong_is_said_of_the_file_that_is_to_blame(tmp_path):
    cert, key = write_certificate(tmp_path)
    _, other_key = write_certificate(tmp_path, "other")
    (tmp_path / "text").write_text("no PEM")
    (tmp_path / "broken.crt").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    (tmp_path / "empty").write_text("")
    cases = [
        (tmp_path / "none", key, False, "none cannot be read: No such file"),
        (cert, tmp_path / "none", True, "none cannot be read: No such file"),
        (tmp_path, key, False, "cannot be read: Is a directory"),
        (cert, other_key, True, "does not belong to the certificate in"),
        (tmp_path / "text", key, False, "holds no certificate"),
        (tmp_path / "broken.crt", key, False, "broken.crt"),
        (cert, tmp_path / "text", True, "holds no usable key"),
        (cert, tmp_path / "empty", True, "holds no usable key"),
    ]
    for cert_file, key_file, of_key, says in cases:
        with pytest.raises(CertificateProblem) as found:
            ServerCertificate.load(cert_file, key_file)
        assert says in str(found.value)
        assert found.value.of_key is of_key, says


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked_for_it(tmp_path):
    cert, key = write_certificate(tmp_path)
    locked = tmp_path / "locked.key"
    command = ["openssl", "pkey", "-in", key, "-aes256", "-passout", "pass:abcdef", "-out", locked]
    subprocess.run(command, check=True)
    with pytest.raises(CertificateProblem, match="is encrypted; store it without a passphrase"):
        ServerCertificate.load(cert, locked)
