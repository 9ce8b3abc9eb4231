"""The agent's unit file and the installer, as far as they can be tried without root and a Pi."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
UNIT = ROOT / "deploy/systemd/edge-agent.service"
INSTALL = ROOT / "deploy/raspberry_pi/install.sh"
UNINSTALL = ROOT / "deploy/raspberry_pi/uninstall.sh"
#: systemd's own scale: 0 is a sealed box, 10 is root with everything. 2.0 measured, of which most is the
#: network and the devices that an agent is for. The rest is room for a version that counts one thing more.
MAX_EXPOSURE = 2.2

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that is there: systemd asks for that."""
    path = tmp_path / "edge-agent.service"
    text = UNIT.read_text(encoding="utf-8")
    path.write_text(text.replace("/opt/headrace/bin/edge-agent", "/bin/true"), encoding="utf-8")
    return path


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(map(str, command)), capture_output=True, text=True)


@needs_systemd
def test_systemd_has_no_complaint_about_the_unit(unit: Path) -> None:
    """An unknown key is only a line on stderr, so there must be none."""
    done = run("systemd-analyze", "verify", unit)
    assert (done.returncode, done.stderr) == (0, "")


@needs_systemd
def test_the_unit_is_hardened(unit: Path) -> None:
    """By systemd's own measure."""
    done = run("systemd-analyze", "security", "--offline=true", unit)
    found = re.search(r"exposure level for .*: ([0-9.]+)", done.stdout)
    assert found, done.stdout
    assert float(found[1]) <= MAX_EXPOSURE


def test_the_unit_waits_for_the_agent_and_watches_it() -> None:
    """READY and WATCHDOG are said by edge_agent.notify; faults in agent.toml are not tried again."""
    lines = UNIT.read_text(encoding="utf-8").splitlines()
    for line in ("Type=notify", "WatchdogSec=60", "RestartPreventExitStatus=2",
                 "ReadWritePaths=/var/lib/headrace", "NoNewPrivileges=yes"):  # fmt: skip
        assert line in lines


@pytest.mark.parametrize("name", ["edge-agent", "gateway"])
def test_models_may_lower_their_priority(name: str) -> None:
    """headrace.models.worker calls os.nice, which @resources would refuse: the worker would die."""
    lines = (UNIT.parent / f"{name}.service").read_text(encoding="utf-8").splitlines()
    filters = [line for line in lines if line.startswith("SystemCallFilter=")]
    (allowed,) = (n for n, line in enumerate(filters) if "setpriority" in line)
    assert allowed > filters.index("SystemCallFilter=~@privileged @resources")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--device", "a b"], "device 'a b': expected letters"),
        (["--devcie", "a"], "unknown option --devcie"),
        (["--device"], "--device needs a value"),
        (["--wheel", "/no/such.whl"], "no wheel at /no/such.whl"),
        (["--from", "/no/such/clone"], "no clone of Headrace at /no/such/clone"),
    ],
)
def test_wrong_arguments_are_said_and_nothing_is_installed(
    tmp_path: Path, arguments: list[str], said: str
) -> None:
    """Exit status 2."""
    done = run(INSTALL, "--prefix", tmp_path, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_uninstall_keeps_the_buffer_unless_told_otherwise(tmp_path: Path) -> None:
    """What is not handed over yet is only there."""
    buffer = tmp_path / "var/lib/headrace/buffer.db"
    for path in (buffer, tmp_path / "etc/headrace/agent.toml", tmp_path / "opt/headrace/x"):
        path.parent.mkdir(parents=True)
        path.write_text("x")
    assert run(UNINSTALL, "--prefix", tmp_path).returncode == 0
    assert buffer.exists()
    assert not (tmp_path / "opt/headrace").exists()
    assert run(UNINSTALL, "--purge", "--prefix", tmp_path).returncode == 0
    assert not buffer.exists()


def test_the_page_names_only_options_that_the_scripts_have() -> None:
    """docs/how-to/raspberry-pi.md; what the scripts do is tried by make pi-test."""
    page = (ROOT / "docs/how-to/raspberry-pi.md").read_text(encoding="utf-8")
    help_text = run(INSTALL, "--help").stdout + run(UNINSTALL, "--help").stdout
    lines = [line for line in page.splitlines() if "install.sh" in line]
    options = {option for line in lines for option in re.findall(r"(--[a-z-]+)", line)}
    assert len(options) >= 3
    assert all(option in help_text for option in options)
