"""An emulated Pi: a copy-on-write root over the cached base, in which commands run as on the device."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

#: What a command inside may inherit: where packages come from, nothing of this machine's folders.
_INHERITED = ("PIP_INDEX_URL", "http_proxy", "https_proxy", "no_proxy")
_CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True, slots=True)
class Machine:
    """The root folder of the device."""

    root: Path

    def run(
        self, *command: str, check: bool = True, user: str = "root", network: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run inside to its end; without ``network`` there is not even a loopback."""
        cut = [] if network else ["unshare", "--net"]
        argv = [*cut, "chroot", f"--userspec={user}", str(self.root), *command]
        done = subprocess.run(argv, env=_environment(), capture_output=True, text=True)
        if check and done.returncode:
            raise AssertionError(f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def start(self, *command: str, log: Path) -> subprocess.Popen[bytes]:
        """Run as the agent's user inside, beside the test."""
        argv = ["chroot", "--userspec=headrace:headrace", str(self.root), *command]
        with log.open("ab") as out:
            return subprocess.Popen(argv, env=_environment(), stdout=out, stderr=out)


def _environment() -> dict[str, str]:
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {"PATH": path, "HOME": "/root", "LANG": "C.UTF-8", **inherited}


@contextmanager
def machine(base: Path, work: Path) -> Iterator[Machine]:
    """A fresh device over ``base``; nothing of it is left in the base."""
    root = work / "root"
    with ExitStack() as stack:
        for name in ("upper", "workdir", "root"):
            (work / name).mkdir(parents=True)
        layers = f"lowerdir={base},upperdir={work}/upper,workdir={work}/workdir"
        stack.enter_context(_mounted("-t", "overlay", "overlay", str(root), "-o", layers))
        for kind, at in (("proc", "proc"), ("sysfs", "sys"), ("devtmpfs", "dev")):
            stack.enter_context(_mounted("-t", kind, kind, str(root / at)))
        cache = base.parent / "pip"
        cache.mkdir(exist_ok=True)
        inside = root / "root/.cache/pip"
        inside.mkdir(parents=True)
        stack.enter_context(_mounted("--bind", str(cache), str(inside)))
        _share_network(root)
        yield Machine(root)


@contextmanager
def small_disk(pi: Machine, at: str, options: str) -> Iterator[None]:
    """Another disk at ``at`` of the device, with mount options such as ``size=20m`` or ``ro``."""
    folder = pi.root / at.lstrip("/")
    with _mounted("-t", "tmpfs", "tmpfs", str(folder), "-o", options):
        yield


@contextmanager
def _mounted(*arguments: str) -> Iterator[None]:
    target = arguments[arguments.index("-o") - 1] if "-o" in arguments else arguments[-1]
    subprocess.run(["mount", *arguments], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", target], check=False)


def _share_network(root: Path) -> None:
    """Names are resolved and packages trusted as on this machine."""
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    if Path("/", _CERTIFICATES).exists():
        shutil.copy(Path("/", _CERTIFICATES), root / _CERTIFICATES)
    (root / "etc/pip.conf").write_text(f"[global]\ncert = /{_CERTIFICATES}\n", encoding="ascii")
