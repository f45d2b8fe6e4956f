"""An image run as a container engine would run it with --read-only, without an engine: namespaces and mounts."""

import fcntl
import json
import os
import socket
import struct
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

_SIOCSIFFLAGS, _IFF_UP = 0x8914, 0x1


@dataclass(frozen=True)
class Image:
    """Where the image's files are, and what it says of how to run them."""

    root: Path
    config: dict[str, Any]

    @classmethod
    def built(cls) -> Self:
        """The one that `.ci/container` has built."""
        described = json.loads(Path(os.environ["IMAGE_JSON"]).read_text())
        return cls(Path(os.environ["IMAGE_ROOT"]), described["Docker"]["config"])

    @property
    def user(self) -> tuple[str, str]:
        """uid and gid."""
        uid, _, gid = self.config["User"].partition(":")
        return uid, gid

    @property
    def environment(self) -> dict[str, str]:
        """What ENV sets."""
        return dict(each.split("=", 1) for each in self.config["Env"])

    @property
    def command(self) -> list[str]:
        """ENTRYPOINT and CMD."""
        return [*self.config["Entrypoint"], *self.config["Cmd"]]

    @property
    def healthcheck(self) -> list[str]:
        """HEALTHCHECK's command."""
        kind, *command = self.config["Healthcheck"]["Test"]
        assert kind == "CMD"
        return command


def loopback_up() -> None:
    """In a network namespace of its own even the loopback device has to be switched on."""
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH14s", b"lo", _IFF_UP, b""))


@contextmanager
def mounted(image: Image, folder: Path, binds: dict[Path, str]) -> Iterator[Path]:
    """The image's root, read-only, with its volume, /proc, /dev/null and what is bound into it."""
    root = folder / "root"
    root.mkdir()
    for target in binds.values():
        _make(image.root / target.lstrip("/"), next(path for path, name in binds.items() if name == target).is_dir())
    _make(image.root / "dev/null", folder=False)
    mounts: list[list[str]] = [["--rbind", str(image.root), str(root)], ["-o", "remount,bind,ro", str(root)]]
    for volume in image.config["Volumes"]:
        owner = f"uid={image.user[0]},gid={image.user[1]},mode=0700"
        mounts.append(["-t", "tmpfs", "-o", owner, "tmpfs", f"{root}{volume}"])
    mounts.append(["--bind", "/dev/null", f"{root}/dev/null"])
    for path, target in binds.items():
        mounts += [["--bind", str(path), f"{root}{target}"], ["-o", "remount,bind,ro", f"{root}{target}"]]
    for arguments in mounts:
        subprocess.run(["mount", *arguments], check=True)
    try:
        yield root
    finally:
        subprocess.run(["umount", "--recursive", "--lazy", str(root)], check=True)


def _make(path: Path, folder: bool) -> None:
    """A place to mount something on; an engine makes it too."""
    if folder:
        path.mkdir(parents=True, exist_ok=True)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def start(image: Image, root: Path, command: Sequence[str], **options: Any) -> subprocess.Popen[str]:
    """Run a command as the first process of a container."""
    uid, gid = image.user
    enter = ["unshare", "--mount", "--pid", "--fork", "--kill-child", f"--root={root}", "--mount-proc=/proc"]
    wanted = [f"--wd={image.config['WorkingDir']}", f"--setgid={gid}", f"--setuid={uid}"]
    return subprocess.Popen([*enter, *wanted, *command], env=image.environment, text=True, **options)


def inside(image: Image, first: int, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a command beside the container's first process ``first``, as ``docker exec`` does."""
    uid, gid = image.user
    enter = ["nsenter", f"--target={first}", "--mount", "--pid", "--root", "--wd", f"--setgid={gid}", f"--setuid={uid}"]
    return subprocess.run(
        [*enter, "--", *command], env=image.environment, capture_output=True, text=True, timeout=60, check=False
    )
