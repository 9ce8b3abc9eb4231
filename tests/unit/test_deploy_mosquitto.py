"""deploy/mosquitto: files of the gateway come to mosquitto, on plain Debian and in a container."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "mosquitto"
FILES = ("ca.crt", "broker.crt", "broker.key", "crl.pem", "acl", "revision")


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Where the gateway writes, and where mosquitto reads."""
    written, read = tmp_path / "from", tmp_path / "to"
    written.mkdir()
    read.mkdir()
    for name in FILES:
        (written / name).write_text(f"the {name}", encoding="utf-8")
    return written, read


def sync(written: Path, read: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", FOLDER / "sync.sh", written, read],
        env={**os.environ, "MOSQUITTO_USER": getpass.getuser()},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_configuration_is_the_one_that_the_command_writes() -> None:
    """One source: a link to the file in the package."""
    packaged = ROOT / "gateway" / "enrol" / "mosquitto.conf"
    assert (FOLDER / "mosquitto.conf").resolve() == packaged


def test_every_file_is_taken_for_mosquittos_user_alone(folders: tuple[Path, Path]) -> None:
    """Again as well, over those that are there; passwords only where there are any."""
    written, read = folders
    for _ in range(2):
        done = sync(written, read)
        assert done.returncode == 0, done.stderr
        assert {path.name for path in read.iterdir()} == set(FILES)
    assert all(path.stat().st_mode & 0o777 == 0o400 for path in read.iterdir())
    (written / "passwords").write_text("pump-1:x", encoding="utf-8")
    assert sync(written, read).returncode == 0
    assert (read / "passwords").read_text() == "pump-1:x"


def test_files_that_are_not_written_yet_are_said_to_be_missing(folders: tuple[Path, Path]) -> None:
    """And nothing is taken."""
    written, read = folders
    (written / "revision").unlink()
    done = sync(written, read)
    assert done.returncode == 1
    assert "has the gateway written its files?" in done.stderr
    assert not list(read.iterdir())


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_has_nothing_to_say_against_the_units() -> None:
    """An unknown key is a warning with exit status 0: anything on stderr counts."""
    done = subprocess.run(
        ["systemd-analyze", "verify", FOLDER / "headrace-mosquitto.path"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_the_page_installs_what_there_is() -> None:
    """docs/how-to/gateway-debian.md."""
    page = (ROOT / "docs" / "how-to" / "gateway-debian.md").read_text(encoding="utf-8")
    words = [word for word in page.split() if word.startswith("deploy/mosquitto/")]
    assert {Path(word).name for word in words} == {
        "sync.sh", "mosquitto.conf", "headrace-mosquitto.path", "headrace-mosquitto.service",
    }  # fmt: skip
    assert all((ROOT / word).is_file() for word in words)
    unit = (FOLDER / "headrace-mosquitto.service").read_text(encoding="utf-8")
    for path in (
        "/var/lib/headrace/mosquitto",
        "/etc/mosquitto/headrace",
        "/etc/mosquitto/sync.sh",
    ):
        assert path in unit
        assert path in page
