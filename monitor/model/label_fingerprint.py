"""Computes the fingerprint by which Alertmanager and its tools know an alert: a digest of its labels."""

from typing import Final

_FNV_OFFSET: Final = 0xCBF29CE484222325
_FNV_PRIME: Final = 0x100000001B3


def label_fingerprint(labels: dict[str, str]) -> str:
    """Returns 16 hexadecimal digits: FNV-1a with 64 bits over the sorted labels. Source: prometheus/common, labelset."""
    digest = _FNV_OFFSET
    for name, value in sorted(labels.items()):
        for byte in b"%b\xff%b\xff" % (name.encode(errors="replace"), value.encode(errors="replace")):
            digest = ((digest ^ byte) * _FNV_PRIME) & 0xFFFFFFFFFFFFFFFF
    return f"{digest:016x}"
