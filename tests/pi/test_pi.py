"""install.sh on an emulated Pi, and the agent there against a gateway outside.

Run by ``make pi-test``: it needs root, qemu and the cached base that ``rootfs.sh`` makes. The story is
one test, because each step takes what the one before left on the device.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.buffer_stats import BufferStats, read_buffer_stats
from headrace.journal import JournalReader
from headrace.lake.config import Lake
from headrace.query.engine import Engine
from headrace.query.sources import collect
from tests.bench.meter import usage
from tests.pi.machine import Machine, machine
from tests.programs import Programs, make_gateway
from tests.servers import free_port, stop_process, wait_until
from tests.servers.mosquitto import MosquittoProgram

BASE = os.environ.get("HEADRACE_PI_BASE", "")
#: The base's name ends with its architecture; on 32 bit there are no models.
ARCH = BASE.rpartition("-")[2]
IS_64_BIT = ARCH in ("arm64", "amd64")
MACHINES = {"arm64": "aarch64", "armhf": "armv7l", "amd64": "x86_64"}
ROOT = Path(__file__).parents[2]
DEVICE = "pi-1"
INSTALL = "/src/deploy/raspberry_pi/install.sh"
AGENT = ("/opt/headrace/bin/edge-agent", "run", "--config", "/etc/headrace/agent.toml")
#: 100 readings a second: eight series at 12.5 Hz, beside what the installer found on the device.
PUMP = '\n[[inputs]]\nplugin = "simulated"\nrate_hz = 12.5\ninterval_s = 0.08\n'

pytestmark = [
    pytest.mark.skipif(not BASE, reason="an emulated Pi is made by: make pi-test"),
    # Six minutes for arm64 on two idle cores; on 32 bit an emulated compiler builds five packages.
    pytest.mark.timeout(5_400),
]


@pytest.fixture
def pi(tmp_path: Path) -> Iterator[Machine]:
    with machine(Path(BASE), tmp_path / "pi") as made:
        clone(made.root / "src")
        yield made


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    made = Programs(tmp_path)
    yield made
    made.close()


def clone(target: Path) -> None:
    """What git would give the device."""
    listed = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, check=True, capture_output=True, text=True).stdout.splitlines()
    for name in names:
        if (ROOT / name).is_file() and not name.startswith("tests/"):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)


def _wheel(folder: Path) -> Path:
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder)]
    subprocess.run([*pip, str(ROOT)], check=True)
    return next(folder.glob("headrace-*.whl"))


def install(pi: Machine, *arguments: str) -> str:
    done = pi.run(INSTALL, *arguments)
    print(done.stdout)
    return done.stdout


def stats(pi: Machine) -> BufferStats:
    return read_buffer_stats(pi.root / "var/lib/headrace/buffer.db")


def wait_for(seconds: float) -> None:
    """Time in which the device samples; nothing can be waited for but the time itself."""
    threading.Event().wait(seconds)


def stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


def test_the_agent_on_a_pi_loses_and_doubles_nothing(
    pi: Machine, programs: Programs, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Install, link cut in the middle, upgrade and uninstall with a backlog, purge."""
    broker = MosquittoProgram(tmp_path, free_port())
    request.addfinalizer(broker.close)
    gateway = make_gateway(programs, kind="external", mqtt_port=broker.port)
    cloud = programs.make("cloud_sync", _cloud_toml(tmp_path, gateway.journal))

    # A wheel first, as from a release page; the clone is what it is upgraded from.
    wheel = _wheel(tmp_path / "wheel")
    shutil.copy(wheel, pi.root / "src")
    options = ["--wheel", f"/src/{wheel.name}", "--device", DEVICE,
               "--gateway", f"127.0.0.1:{broker.port}"]  # fmt: skip
    break_off(pi, *options)
    said = install(pi, *options)
    assert MACHINES[ARCH] in said
    assert ("models on the device" in said) != IS_64_BIT
    assert "found to measure" in said
    assert "systemd does not run here" in said
    check_what_was_installed(pi)
    config = pi.root / "etc/headrace/agent.toml"
    config.write_text(config.read_text() + PUMP)
    pi.run("edge-agent", "check-config", "--config", "/etc/headrace/agent.toml")

    broker.start()
    gateway.start()
    cloud.start()
    log = tmp_path / "agent.log"
    agent = pi.start(*AGENT, log=log)
    request.addfinalizer(lambda: stop_process(agent))
    wait_until(lambda: f"device {DEVICE}, stream" in log.read_text(), 60, "the agent is up")
    wait_until(lambda: stats(pi).acknowledged > 500, 60, "readings at the gateway")
    wait_for(20)
    print_footprint(agent.pid, stats(pi))

    broker.stop()
    before = stats(pi).sampled
    wait_until(lambda: stats(pi).buffered > 1_000, 60, "a backlog while the link is cut")
    broker.start()
    wait_until(lambda: stats(pi).acknowledged > before + 1_000, 90, "the backlog is handed over")

    # Upgrade and uninstall while there is something that only the device has.
    broker.stop()
    wait_until(lambda: stats(pi).buffered > 500, 60, "another backlog")
    stop(agent)
    kept = stats(pi)
    upgrade(pi)
    assert stats(pi) == kept
    pi.run("/src/deploy/raspberry_pi/uninstall.sh")
    assert not (pi.root / "opt/headrace").exists()
    assert stats(pi) == kept
    install(pi, *options[:2], *(["--with-inference"] if IS_64_BIT else []))
    if IS_64_BIT:
        pi.run("/opt/headrace/bin/python", "-c", "import ai_edge_litert.interpreter")

    broker.start()
    agent = pi.start(*AGENT, log=log)
    request.addfinalizer(lambda: stop_process(agent))
    wait_until(lambda: stats(pi).acknowledged > kept.sampled, 90, "the rest is handed over")
    stop(agent)
    wait_until(lambda: cloud_is_done(gateway.journal), 60, "all is in the lake")
    assert gateway.program.stop() == 0
    assert cloud.stop() == 0
    compare(tmp_path, stats(pi))

    pi.run("/src/deploy/raspberry_pi/uninstall.sh", "--purge")
    assert not (pi.root / "var/lib/headrace").exists()
    assert pi.run("id", "headrace", check=False).returncode


def break_off(pi: Machine, *options: str) -> None:
    """SIGKILL in the middle of a first install; the next one has to go on from what is there."""
    argv = ["chroot", str(pi.root), INSTALL, *options]
    process = subprocess.Popen(argv, start_new_session=True, stdout=subprocess.DEVNULL)
    made = pi.root / "opt/headrace/bin/python"
    wait_until(made.exists, 300, "the environment is begun")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def upgrade(pi: Machine) -> None:
    """Over a service that runs: it is stopped late and started again, and without network not at all."""
    calls = pi.root / "root/systemctl.log"
    calls.write_text("")
    stand_in = pi.root / "usr/local/sbin/systemctl"
    stand_in.write_text('#!/bin/sh\necho "$1" >> /root/systemctl.log\n', encoding="utf-8")
    stand_in.chmod(0o755)
    (pi.root / "run/systemd/system").mkdir(parents=True)
    done = pi.run(INSTALL, check=False, network=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "the agent that was there goes on" in done.stderr
    assert "stop" not in calls.read_text().splitlines()
    pi.run("edge-agent", "--version")
    said = install(pi, "--gateway", "10.9.9.9", "--device", DEVICE)
    assert "agent.toml is there and stays as it is" in said
    assert "uplink.host stays '127.0.0.1', not '10.9.9.9'" in said
    assert "note: device" not in said
    order = [call for call in calls.read_text().splitlines() if call in ("stop", "restart")]
    assert order == ["stop", "restart"]
    refuse_unknown_key(pi)
    (pi.root / "run/systemd/system").rmdir()
    stand_in.unlink()


def refuse_unknown_key(pi: Machine) -> None:
    """A configuration that the new version does not know is named with its key, and not started."""
    config = pi.root / "etc/headrace/agent.toml"
    before = config.read_text(encoding="utf-8")
    config.write_text("colour = 'red'\n" + before, encoding="utf-8")
    done = pi.run("edge-agent", "check-config", "--config", "/etc/headrace/agent.toml", check=False)
    assert done.returncode == 2
    assert "colour" in done.stderr
    config.write_text(before, encoding="utf-8")


def check_what_was_installed(pi: Machine) -> None:
    """User, modes, and a unit that systemd of that Debian has no complaint about."""
    assert pi.run("id", "-nu", "headrace").stdout == "headrace\n"
    modes = pi.run("stat", "-c", "%U %a", "/etc/headrace/agent.toml", "/var/lib/headrace").stdout
    assert modes == "headrace 640\nheadrace 750\n"
    verified = pi.run("systemd-analyze", "verify", "/etc/systemd/system/edge-agent.service")
    assert verified.stderr == ""


def print_footprint(pid: int, found: BufferStats) -> None:
    """Memory and CPU are the emulator's; bytes written are the device's."""
    used = usage(pid)
    print(
        f"footprint under emulation: {used.rss_mb:.0f} MB, {used.cpu_s:.1f} s CPU in "
        f"{found.written_s:.0f} s; written: {found.written_bytes_per_reading} bytes a reading, "
        f"{found.written_bytes_per_day} bytes a day"
    )


def cloud_is_done(journal: Path) -> bool:
    with JournalReader(journal) as reader:
        return reader.cursor("lake") == reader.head()


def compare(folder: Path, device: BufferStats) -> None:
    """Every number that the device gave out is in the lake once."""
    lake = Lake(uri=str(folder / "lake"))
    with Engine(collect(lake, None), lake) as engine:
        counts = engine.query(
            "SELECT count(*) AS rows, count(DISTINCT seq) AS seqs, min(seq) AS first, max(seq) AS last "
            f"FROM readings WHERE device = '{DEVICE}' AND stream = '{device.stream}'"
        ).read_all()
    (found,) = counts.to_pylist()
    print(f"sampled {device.sampled}, in the lake {found['rows']}, dropped {device.dropped}")
    assert device.dropped == {}
    assert device.buffered == 0
    whole = {"rows": device.sampled, "seqs": device.sampled, "first": 1, "last": device.sampled}
    assert found == whole


def _cloud_toml(folder: Path, journal: Path) -> str:
    return f"""
[journal]
path = "{journal}"
[lake]
uri = "{folder / "lake"}"
[landing]
interval_s = 1
[register]
interval_s = 1
"""
