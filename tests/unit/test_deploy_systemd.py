"""The units of gateway, cloud-sync and headrace serve, as systemd itself reads them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "deploy" / "systemd"
MOSQUITTO = FOLDER.parent / "mosquitto"
UNITS = {
    "gateway": "gateway run --config /etc/headrace/gateway.toml",
    "cloud-sync": "cloud-sync run --config /etc/headrace/cloud_sync.toml",
    "headrace-serve": "headrace serve --config /etc/headrace/serve.toml",
}

#: systemd-analyze security: 0 is a sealed box, 10 a root shell. 1.3 measured; room for a new version
#: of systemd that counts one more thing.
MAX_EXPOSURE = 2.0

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd is not installed"
)


@pytest.fixture(params=UNITS)
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The unit with its program where the test can put one: verify wants an executable file."""
    name = str(request.param)
    program = tmp_path / UNITS[name].split()[0]
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    text = (FOLDER / f"{name}.service").read_text(encoding="utf-8")
    path = tmp_path / f"{name}.service"
    path.write_text(text.replace("/opt/headrace/bin/", f"{tmp_path}/"), encoding="utf-8")
    return path


def analyze(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *map(str, words)], capture_output=True, text=True, check=False
    )


@needs_systemd
def test_systemd_has_nothing_to_say_against_it(unit: Path) -> None:
    """An unknown key is a warning with exit status 0: anything on stderr counts."""
    done = analyze("verify", unit)
    assert (done.returncode, done.stderr) == (0, "")


@needs_systemd
def test_it_is_hardened(unit: Path) -> None:
    """By systemd's own measure."""
    assert exposure(unit) <= MAX_EXPOSURE


@needs_systemd
def test_what_serves_mosquitto_is_hardened_too(tmp_path: Path) -> None:
    """Root, but for one purpose; the path unit that starts it is right as well."""
    files = [
        shutil.copy(MOSQUITTO / f"headrace-mosquitto.{kind}", tmp_path)
        for kind in ("path", "service")
    ]
    done = analyze("verify", *files)
    assert (done.returncode, done.stderr) == (0, "")
    assert exposure(tmp_path / "headrace-mosquitto.service") <= MAX_EXPOSURE


def exposure(unit: Path) -> float:
    """The score that `systemd-analyze security` gives."""
    said = analyze("security", "--offline=true", unit).stdout
    found = re.search(r"exposure level for \S+: ([\d.]+)", said)
    assert found is not None, said
    return float(found[1])


def test_its_program_is_asked_for_as_the_command_line_has_it(unit: Path) -> None:
    """The path is the one that the page installs to; a wrong configuration is not tried for ever."""
    text = (FOLDER / unit.name).read_text(encoding="utf-8")
    assert f"ExecStart=/opt/headrace/bin/{UNITS[unit.stem]}\n" in text
    assert "RestartPreventExitStatus=2\n" in text
    assert "StateDirectory=headrace\n" in text
