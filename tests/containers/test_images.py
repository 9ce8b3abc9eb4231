"""What each image is: size, user, and what it says to a wrong start."""

from __future__ import annotations

import re
import shlex
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.engine import BASE, ROOT, TARGETS, Engine, first_free, image_name, tail
from tests.servers import free_port, wait_until

DATA = "/var/lib/headrace"
HARDENED = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "all", "--network", "none")

PAGE = (ROOT / "docs" / "how-to" / "gateway-container.md").read_text(encoding="utf-8")


@pytest.fixture
def volume(engine: Engine) -> Iterator[str]:
    """A named volume of this test."""
    name = first_free(["headrace", "volume"])
    engine.podman("volume", "create", name)
    yield name
    engine.podman("volume", "rm", "--force", name)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The configuration that the page shows."""
    path = tmp_path / "gateway.toml"
    blocks = re.findall(r"```toml\n(.*?)```", PAGE, re.S)
    text = next(block for block in blocks if "allow_without_login" in block)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)
    return path


def start(engine: Engine, *options: str | Path, target: str = "gateway") -> tuple[int, str]:
    """Run until it ends; exit status and output."""
    image = image_name(target)
    done = engine.run("podman", "run", "--rm", *HARDENED, *options, image, check=False)
    return done.returncode, tail(done)


#: Megabytes on a site's disk that an image may take: what they have, and a little room for the next releases
#: of what they depend on. What was promised for the gateway is 300.
LIMITS = {"gateway": 280, "cloud-sync": 350, "agent": 65}


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_stays_small(engine: Engine, arch: str, target: str) -> None:
    """Unpacked, as it lies on the site's disk; what is fetched is printed beside it."""
    image = image_name(target, arch)
    unpacked, packed = engine.unpacked_bytes(image), engine.compressed_bytes(image)
    print(f"{target} {arch}: {unpacked / 1e6:.0f} MB unpacked, {packed / 1e6:.0f} MB compressed")
    assert 20e6 < packed < unpacked < LIMITS[target] * 1e6


#: What an image with all the extras that .env.example names does with them.
VARIANTS = {
    "gateway": (
        "import confluent_kafka, fastavro, psycopg, opentelemetry.sdk.trace; "
        "confluent_kafka.Producer({'bootstrap.servers': 'x'}); print(psycopg.pq.__impl__)"
    ),
    "cloud-sync": (
        "import psycopg, sqlalchemy; from pyiceberg.catalog.hive import HiveCatalog; "
        "from headrace.lake.stores import azure, gcs, hdfs; "
        "sqlalchemy.create_engine('postgresql+psycopg://'); print(psycopg.pq.__impl__)"
    ),
}


@pytest.mark.parametrize(("target", "code"), VARIANTS.items())
def test_a_variant_carries_the_extras_that_it_was_built_with(
    engine: Engine, target: str, code: str
) -> None:
    """By the argument that .env.example names; their libraries load after they were trimmed."""
    variable = f"{target.upper().replace('-', '_')}_EXTRAS"
    text = (ROOT / "deploy" / "compose" / ".env.example").read_text(encoding="utf-8")
    (extras,) = re.findall(rf'^# {variable}="([a-z ]+)"', text, re.M)
    image = f"localhost/headrace-{target}-extras:test"
    args = {"BASE": BASE, "VERSION": "test", "EXTRAS": extras}
    engine.build(ROOT / "deploy/container/Dockerfile", ROOT, target=target, tag=image, args=args)
    print(f"{target} with {extras}: {engine.unpacked_bytes(image) / 1e6:.0f} MB unpacked")
    said = engine.podman("run", "--rm", *HARDENED, "--entrypoint", "python3", image, "-c", code)
    assert said == "binary"


@pytest.mark.parametrize("target", TARGETS)
def test_nobody_in_it_is_root(engine: Engine, target: str) -> None:
    """The user is a number above the system's, and nothing is there that installs."""
    image = image_name(target)
    assert engine.inspect("image", image)["Config"]["User"] == "10001:10001"
    code = "import os, importlib.util as u; print(os.getuid(), u.find_spec('pip'))"
    said = engine.podman("run", "--rm", *HARDENED, "--entrypoint", "python3", image, "-c", code)
    assert said == "10001 None"
    look = (
        "command -v apt-get dpkg perl pip gcc; find / -xdev -perm /6000 -type f 2>/dev/null; true"
    )
    assert engine.podman("run", "--rm", *HARDENED, "--entrypoint", "sh", image, "-c", look) == ""


@pytest.mark.parametrize("target", TARGETS)
def test_it_says_what_it_is(engine: Engine, target: str) -> None:
    """Labels by OCI's names."""
    labels = engine.inspect("image", image_name(target))["Labels"]
    assert labels["org.opencontainers.image.title"] == "Headrace"
    assert labels["org.opencontainers.image.version"] == "test"
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"


@pytest.mark.parametrize("target", TARGETS)
def test_a_container_without_its_volume_says_so_and_ends(engine: Engine, target: str) -> None:
    """Readings in the container's own layer would be gone with the next update."""
    status, said = start(engine, target=target)
    assert status == 2
    assert f"no volume at {DATA}" in said
    assert f"--volume headrace-data:{DATA}" in said


def test_a_volume_of_somebody_else_is_named_with_the_remedy(engine: Engine, tmp_path: Path) -> None:
    """A folder of the host's root, mounted as it is."""
    status, said = start(engine, "--volume", f"{tmp_path}:{DATA}")
    assert status == 2
    assert "cannot be written by user 10001" in said
    assert "chown 10001:10001" in said


def test_a_container_without_configuration_says_which_file(engine: Engine, volume: str) -> None:
    """The path is the one to mount."""
    status, said = start(engine, "--volume", f"{volume}:{DATA}")
    assert status == 2
    assert "/etc/headrace/gateway.toml" in said
    assert "no such file" in said


def test_the_gateway_lives_on_a_read_only_root(engine: Engine, volume: str, config: Path) -> None:
    """By the page's own command: healthy, its console on the host, and a clean end on SIGTERM."""
    name, port = first_free(["headrace", "gateway"]), free_port()
    engine.podman(*page_command(name, volume, config, port))
    try:
        wait_until(lambda: healthy(engine, name), 60, "the health check of the image says so")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as reply:
            assert reply.status == 200
        assert engine.run("podman", "exec", name, "touch", "/x", check=False).returncode != 0
        engine.podman("stop", "--time", "20", name)
        assert engine.inspect("container", name)["State"]["ExitCode"] == 0
        assert "Traceback" not in tail(engine.run("podman", "logs", name))
    finally:
        engine.podman("rm", "--force", name)


def page_command(name: str, volume: str, config: Path, port: int) -> list[str]:
    """The page's `docker run`, with names, port and image of this test."""
    found = re.search(r"^docker (run --detach .*?[^\\])$", PAGE, re.M | re.S)
    assert found is not None
    text = (
        found[1].replace("\\\n", " ")
        .replace("--name gateway", f"--name {name}")
        .replace("headrace-data:", f"{volume}:")
        .replace("$PWD/gateway.toml", str(config))
        .replace("127.0.0.1:8080:", f"127.0.0.1:{port}:")
    )  # fmt: skip
    *words, image = shlex.split(text)
    assert image == "headrace-gateway"
    return [*words, image_name("gateway")]


def healthy(engine: Engine, name: str) -> bool:
    return engine.run("podman", "healthcheck", "run", name, check=False).returncode == 0
