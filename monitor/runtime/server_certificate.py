"""The certificate and the key with which a listener speaks TLS."""

import hashlib
import re
import ssl
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from monitor.runtime.dataclass import dataclass
from monitor.runtime.file_reads import read_file

SOON_DAYS: Final = 14
"""Days before the end of a certificate from which on `ServerCertificate.warning` says so."""

_LARGEST: Final = 1024 * 1024
_CERTIFICATE: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_NO_CHECK_TIME: Final = ssl.VerifyFlags(0x200000)
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME: the times are compared here, with the clock that is handed in."""


class CertificateProblem(ValueError):
    """The certificate or the key cannot be used. ``of_key`` tells whether the key's file is to blame."""

    def __init__(self, message: str, *, of_key: bool = False) -> None:
        super().__init__(message)
        self.of_key = of_key


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """A certificate with its key, ready to serve. ``der`` is the certificate itself; two are equal if their files hold the same."""

    digest: bytes = field(repr=False)
    der: bytes = field(repr=False)
    context: ssl.SSLContext = field(compare=False, repr=False)
    _chain: str = field(compare=False, repr=False)

    @classmethod
    def load(cls, cert_file: Path, key_file: Path) -> "ServerCertificate":
        """Reads both files. Raises CertificateProblem, whose message shows nothing of the key."""
        chain, key = _read(cert_file, of_key=False), _read(key_file, of_key=True)
        der = _first(chain, cert_file)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        _load_chain(context, cert_file, key_file)
        text = b"\n".join(_CERTIFICATE.findall(chain)).decode("ascii", "replace")
        return cls(hashlib.sha256(chain + b"\0" + key).digest(), der, context, text)

    @classmethod
    def without_key(cls, cert_file: Path) -> "ServerCertificate":
        """Reads the certificate alone, by which a client knows the server. Raises CertificateProblem."""
        chain = _read(cert_file, of_key=False)
        return cls(
            hashlib.sha256(chain).digest(), _first(chain, cert_file), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ""
        )

    def warning(self, now: float) -> str:
        """Returns a sentence if the certificate has ended, ends soon, or does not hold yet at ``now`` (seconds since 1970); else nothing."""
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname = False
        client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
        client.load_verify_locations(cadata=self._chain)
        try:
            begin, end = _validity(client, self.context)
        except ssl.SSLError:
            return ""
        if now < begin:
            return "the certificate is not valid yet"
        if now > end:
            return "the certificate has expired: renew it"
        is_soon = end - now < SOON_DAYS * 86_400
        return f"the certificate ends on {datetime.fromtimestamp(end, UTC):%Y-%m-%d}: renew it" if is_soon else ""


def _first(chain: bytes, cert_file: Path) -> bytes:
    """Returns the first certificate (DER)."""
    found = _CERTIFICATE.search(chain)
    if found is None:
        raise CertificateProblem(f"{cert_file} holds no certificate: it should be PEM (-----BEGIN CERTIFICATE-----)")
    return ssl.PEM_cert_to_DER_cert(found[0].decode("ascii", "replace"))


def _read(path: Path, *, of_key: bool) -> bytes:
    try:
        content = read_file(path, _LARGEST + 1)
    except OSError as error:
        raise CertificateProblem(f"the file {path} cannot be read: {error.strerror}", of_key=of_key) from None
    except ValueError:
        raise CertificateProblem("that is no file's name", of_key=of_key) from None
    if len(content) > _LARGEST:
        raise CertificateProblem(f"{path} is larger than 1 MiB", of_key=of_key)
    return content


def _load_chain(context: ssl.SSLContext, cert_file: Path, key_file: Path) -> None:
    def password() -> str:
        raise CertificateProblem(f"the key in {key_file} is encrypted; store it without a passphrase", of_key=True)

    try:
        context.load_cert_chain(cert_file, key_file, password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise CertificateProblem(
                f"the key in {key_file} does not belong to the certificate in {cert_file}", of_key=True
            ) from None
        if _is_readable(cert_file):
            raise CertificateProblem(f"{key_file} holds no usable key: it should be PEM", of_key=True) from None
        raise CertificateProblem(f"the certificate in {cert_file} cannot be used ({error.reason or error})") from None
    except OSError as error:
        raise CertificateProblem(f"{cert_file} or {key_file} cannot be read: {error.strerror}") from None


def _is_readable(cert_file: Path) -> bool:
    with suppress(OSError):  # ssl.SSLError is one, too
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cert_file)
        return True
    return False


def _validity(client_context: ssl.SSLContext, server_context: ssl.SSLContext) -> tuple[float, float]:
    """Returns when the server's certificate begins and ends, by a handshake in memory. Raises ssl.SSLError if the client refuses it."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    for _ in _rounds():
        for side in (client, server):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
    certificate = client.getpeercert() or {}
    begin, end = (ssl.cert_time_to_seconds(str(certificate[name])) for name in ("notBefore", "notAfter"))
    return float(begin), float(end)


def _rounds() -> Iterator[int]:
    """Yields once for each exchange of a handshake; TLS 1.2 needs three."""
    yield from range(4)
