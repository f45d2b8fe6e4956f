"""A daemon in a process of its own: its environment, when it answers, and what it has used of the machine."""

import http.client
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

PATIENCE: Final = 60.0
ROOT: Final = Path(__file__).parents[2]
_TICKS: Final = os.sysconf("SC_CLK_TCK")


def environment(compiled: Path) -> dict[str, str]:
    """Returns the environment of an installation: with a folder of compiled modules, which the first start fills, and certifi's certificates."""
    environ = dict(os.environ) | {"PYTHONPYCACHEPREFIX": str(compiled), "PYTHONPATH": str(ROOT)}
    for name in ("PYTHONDONTWRITEBYTECODE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        environ.pop(name, None)
    return environ


def until_answers(
    address: tuple[str, int], path: str, began: float, is_running: Callable[[], bool] = lambda: True
) -> float:
    """Returns the seconds from ``began`` until the path answers 200. Raises RuntimeError after a minute, or once it is not running."""
    while time.perf_counter() - began < PATIENCE and is_running():
        connection = http.client.HTTPConnection(*address, timeout=PATIENCE)
        try:
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return time.perf_counter() - began
        except OSError:
            pass  # it does not listen yet
        finally:
            connection.close()
        time.sleep(0.01)
    raise RuntimeError(f"{path} never said 200")


def processor_seconds(process: int) -> float:
    """Returns the processor time that a running process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_megabytes(process: int) -> float:
    """Returns the resident memory of a running process."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024
