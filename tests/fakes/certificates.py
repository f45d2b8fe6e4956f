"""Certificates for tests, from an authority that exists only there."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

NOW = datetime.now(UTC)


def write_certificate(folder: Path, name: str = "tls", host: str = "localhost", days: float = 90) -> tuple[Path, Path]:
    """Writes a new certificate for ``host`` that ends after ``days``, and its key; returns their paths."""
    made = trustme.CA().issue_cert(
        host, "127.0.0.1", not_before=NOW - timedelta(days=100), not_after=NOW + timedelta(days=days)
    )
    cert, key = folder / f"{name}.crt", folder / f"{name}.key"
    cert.write_bytes(b"".join(pem.bytes() for pem in made.cert_chain_pems))
    key.write_bytes(made.private_key_pem.bytes())
    key.chmod(0o600)
    return cert, key
