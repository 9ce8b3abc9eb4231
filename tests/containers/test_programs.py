"""Each image does its work with what is left in it, on each architecture.

`HEADRACE_CONTAINER_ARCH=arm64 make container-test` adds arm64, built and run by qemu-user: a cold build
takes most of an hour on two cores, so it is not done each time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import graphs, model_repository
from tests.containers.engine import NATIVE, ROOT, TARGETS, Engine, first_free, image_name
from tests.containers.test_images import HARDENED
from tests.servers import wait_until

pytestmark = pytest.mark.timeout(5400)

INSIDE = ROOT / "tests" / "containers" / "inside"
COMMANDS = {"gateway": "gateway", "cloud-sync": "cloud-sync", "agent": "edge-agent"}
DATA = "/var/lib/headrace"

GATEWAY = f"""
data_dir = "{DATA}"
[vitals]
interval_s = 1
[[sinks]]
plugin = "file"
folder = "{DATA}/export"
format = "parquet"
max_file_age_s = 1.0
"""
CLOUD_SYNC = f"""
[journal]
path = "{DATA}/journal.db"
[lake]
uri = "{DATA}/lake"
[landing]
interval_s = 1.0
[register]
interval_s = 1.0
[metrics]
port = 9102
"""
AGENT = f"""
device = "pump-1"
[buffer]
path = "{DATA}/buffer.db"
[[inputs]]
plugin = "simulated"
rate_hz = 5.0
"""


def patience(arch: str) -> float:
    """Seconds for a program to come up: emulation is twenty times as slow."""
    return 60 if arch == NATIVE else 300


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_is_of_its_architecture(engine: Engine, arch: str, target: str) -> None:
    """By its label and by what runs in it; and its program says its version and its commands."""
    image = image_name(target, arch)
    assert engine.inspect("image", image)["Architecture"] == arch
    run = ("run", "--rm", *HARDENED)
    machine = {"amd64": "x86_64", "arm64": "aarch64"}[arch]
    assert engine.podman(*run, "--entrypoint", "uname", image, "-m") == machine
    assert "version" in engine.podman(*run, image, "--version")
    assert f"Usage: {COMMANDS[target]}" in engine.podman(*run, image, "--help")


@pytest.mark.parametrize("target", TARGETS)
def test_what_was_taken_out_of_an_image_is_not_missed(
    engine: Engine, arch: str, target: str, tmp_path: Path
) -> None:
    """Every library is used, not only imported; models of both runtimes give scores."""
    script = f"in_{target.replace('-', '_')}.py"
    model = model_repository.write(tmp_path / "model", model_repository.packed(graphs.good()))
    print(
        engine.podman(
            "run", "--rm", *HARDENED, "--volume", f"{INSIDE}:/inside:ro",
            "--volume", f"{model}:/model:ro", *emulated(arch, tmp_path), "--entrypoint", "python3", image_name(target, arch),
            f"/inside/{script}", "/model", timeout_s=600,
        )
    )  # fmt: skip


def emulated(arch: str, work: Path) -> list[str]:
    """Options for another architecture: hide this machine's processors.

    LiteRT and ONNX Runtime (cpuinfo, in both) end with a segmentation fault under qemu-user 7.2 when
    they read of x86 processors there; where nothing is to be read they complain and go on.
    """
    if arch == NATIVE:
        return []
    nothing = work / "no-processors"
    nothing.mkdir()
    return ["--volume", f"{nothing}:/sys/devices/system/cpu:ro"]


@contextmanager
def running(engine: Engine, image: str, volume: str, config: Path, path: str) -> Iterator[str]:
    """A container of the image; its name."""
    name = first_free(["headrace", path.split(".")[0]])
    engine.podman(
        "run", "--detach", "--name", name, *HARDENED, "--volume", f"{volume}:{DATA}",
        "--volume", f"{config}:/etc/headrace/{path}:ro", image,
    )  # fmt: skip
    try:
        yield name
    finally:
        engine.podman("rm", "--force", "--time", "0", name)


@pytest.fixture
def volume(engine: Engine) -> Iterator[str]:
    """A named volume of this test."""
    name = first_free(["headrace", "programs"])
    engine.podman("volume", "create", name)
    yield name
    engine.podman("volume", "rm", "--force", name)


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)
    return path


def healthy(engine: Engine, name: str) -> bool:
    return engine.run("podman", "healthcheck", "run", name, check=False).returncode == 0


def test_gateway_and_cloud_sync_carry_readings_to_a_lake(
    engine: Engine, arch: str, volume: str, tmp_path: Path
) -> None:
    """The gateway's own readings, through the journal into an Iceberg table and a sink's Parquet files."""
    gateway, cloud_sync = image_name("gateway", arch), image_name("cloud-sync", arch)
    first = written(tmp_path / "gateway.toml", GATEWAY)
    second = written(tmp_path / "cloud_sync.toml", CLOUD_SYNC)
    with running(engine, gateway, volume, first, "gateway.toml") as one:
        wait_until(lambda: healthy(engine, one), patience(arch), "the gateway is healthy")
        with running(engine, cloud_sync, volume, second, "cloud_sync.toml") as two:
            wait_until(lambda: healthy(engine, two), patience(arch), "cloud-sync is healthy")
            wait_until(lambda: in_lake(engine, two) > 5, patience(arch), "readings are in the lake")
            wait_until(lambda: exported(engine, two) > 5, patience(arch), "readings are in files")


def in_lake(engine: Engine, name: str) -> int:
    """Readings that a query finds, asked for in the container."""
    said = engine.run(
        "podman", "exec", name, "headrace", "query", "--config", "/etc/headrace/cloud_sync.toml",
        "--format", "json", "SELECT count(*) AS n FROM readings", check=False,
    ).stdout  # fmt: skip
    rows = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    return int(rows[0]["n"]) if rows else 0


def exported(engine: Engine, name: str) -> int:
    """Rows of the Parquet files that the gateway's sink has written, by cloud-sync's own DuckDB."""
    code = f"import duckdb; print(len(duckdb.read_parquet('{DATA}/export/*.parquet')))"
    done = engine.run("podman", "exec", name, "python3", "-c", code, check=False)
    return int(done.stdout) if done.returncode == 0 else 0


def test_the_agent_fills_its_buffer_while_there_is_no_gateway(
    engine: Engine, arch: str, volume: str, tmp_path: Path
) -> None:
    """Read in its container while it runs."""
    config = written(tmp_path / "agent.toml", AGENT)

    def sampled() -> int:
        stat = ("edge-agent", "buffer", "stat", f"{DATA}/buffer.db", "--json")
        done = engine.run("podman", "exec", name, *stat, check=False)
        return int(json.loads(done.stdout)["sampled"]) if done.returncode == 0 else 0

    with running(engine, image_name("agent", arch), volume, config, "agent.toml") as name:
        wait_until(lambda: sampled() > 5, patience(arch), "readings are in the buffer")
