"""podman and buildah with a storage of their own, kept between runs and away from the user's.

Works on a machine without systemd and without CAP_SYS_RESOURCE too: runc with cgroupfs, limits that
need no right to raise, builds in a chroot. Health checks are asked for, not scheduled.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
BASE = "localhost/debian-base:12"
STAND_INS = ("mosquitto", "influxdb", "seaweedfs")
TARGETS = ("gateway", "cloud-sync", "agent")

#: As Debian and OCI call this machine. Images of others are built and run by qemu-user.
NATIVE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
#: HEADRACE_CONTAINER_ARCH=arm64 adds that to what is tested.
ARCHITECTURES = tuple(
    dict.fromkeys((NATIVE, *os.environ.get("HEADRACE_CONTAINER_ARCH", "").split()))
)

_CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
_STORAGE_CONF = """\
[storage]
driver = "overlay"
graphroot = "{store}"
runroot = "{run}"
"""


def cache_folder() -> Path:
    """Where the base image and the layers stay: outside the repository."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "headrace" / "containers"


@dataclass
class Engine:
    """Runs podman and buildah; every failure shows what was said."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        run = Path(tempfile.gettempdir()) / "headrace-containers"
        conf, storage = self.folder / "containers.conf", self.folder / "storage.conf"
        conf.write_text(_CONTAINERS_CONF, encoding="utf-8")
        storage.write_text(
            _STORAGE_CONF.format(store=self.folder / "store", run=run), encoding="utf-8"
        )
        self.env = {
            **os.environ,
            "CONTAINERS_CONF": str(conf),
            "CONTAINERS_STORAGE_CONF": str(storage),
            "BUILDAH_ISOLATION": "chroot",
        }

    def run(
        self, *argv: str | Path, check: bool = True, timeout_s: float = 120, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """One command; text in and out."""
        done = subprocess.run(
            [str(word) for word in argv],
            capture_output=True, text=True, env=self.env, timeout=timeout_s, check=False, cwd=cwd,
        )  # fmt: skip
        if check and done.returncode:
            raise AssertionError(f"{argv} ended with {done.returncode}:\n{tail(done)}")
        return done

    def podman(self, *words: str | Path, check: bool = True, timeout_s: float = 120) -> str:
        return self.run("podman", *words, check=check, timeout_s=timeout_s).stdout.strip()

    def inspect(self, kind: str, name: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = json.loads(self.podman(kind, "inspect", name))
        return found[0]

    def make_images(self, arch: str = NATIVE) -> None:
        """Debian's base and our images on it, from the cache as far as they are there."""
        base = BASE if arch == NATIVE else BASE.replace(":", f"-{arch}:")
        script = ROOT / "tests/containers/base-image.sh"
        self.run("sh", script, self.folder, base, arch, timeout_s=1800)
        for target in TARGETS:
            self.build(
                ROOT / "deploy/container/Dockerfile", ROOT, target=target,
                tag=image_name(target, arch), args={"BASE": base, "VERSION": "test"}, arch=arch,
            )  # fmt: skip

    def build(
        self,
        file: Path,
        context: Path,
        *,
        target: str,
        tag: str,
        args: Mapping[str, str],
        arch: str = NATIVE,
    ) -> None:
        """One target of a Dockerfile, by layers that are kept."""
        options = [
            word for name, value in args.items() for word in ("--build-arg", f"{name}={value}")
        ]
        if arch != NATIVE:
            options += ["--arch", arch]
        self.run(
            "buildah", "bud", "--format", "docker", "--isolation", "chroot", "--network", "host",
            "--pull-never", "--layers", *options, "--target", target, "--tag", tag, "--file", file,
            context, timeout_s=900 if arch == NATIVE else 3600,
        )  # fmt: skip

    def unpacked_bytes(self, image: str) -> int:
        """What it takes on a site's disk, as engines count: the sum of its layers' files."""
        size: int = self.inspect("image", image)["Size"]
        return size

    def compressed_bytes(self, image: str) -> int:
        """What a registry stores and a site downloads: the layers, each in gzip, as pushed."""
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            self.run(
                "podman", "push", "--quiet", "--compress", image, f"dir:{folder}", timeout_s=300
            )
            manifest = json.loads((Path(folder) / "manifest.json").read_text(encoding="utf-8"))
            return sum(
                (Path(folder) / layer["digest"].removeprefix("sha256:")).stat().st_size
                for layer in manifest["layers"]
            )


def image_name(target: str, arch: str = NATIVE) -> str:
    """The tag under which the tests build a target."""
    return f"localhost/headrace-{target}{'' if arch == NATIVE else f'-{arch}'}:test"


def tail(done: subprocess.CompletedProcess[str]) -> str:
    """The end of what a command said, without podman's complaints about a missing systemd."""
    lines = (done.stdout + done.stderr).splitlines()
    return "\n".join(line for line in lines if "systemd" not in line)[-3000:]


def first_free(words: Sequence[str]) -> str:
    """A tag or name of this process, so that two runs do not meet."""
    return "-".join((*words, str(os.getpid())))
