"""Images and the site, made once."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.containers.engine import (
    ARCHITECTURES,
    BASE,
    NATIVE,
    ROOT,
    STAND_INS,
    Engine,
    cache_folder,
    first_free,
)
from tests.containers.site import Site, make_site

# Minutes of building and root: only where it is asked for, by `make container-test`.
collect_ignore_glob = [] if os.environ.get("HEADRACE_CONTAINER_TEST") else ["test_*.py"]


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The engine with the images of this machine's architecture built."""
    made = Engine(cache_folder())
    made.make_images()
    return made


@pytest.fixture(scope="session", params=ARCHITECTURES)
def arch(request: pytest.FixtureRequest, engine: Engine) -> str:
    """Each architecture that is asked for, its images built."""
    name: str = request.param
    if name != NATIVE:
        engine.make_images(name)
    return name


@pytest.fixture(scope="session")
def site(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The whole site but Grafana, up."""
    folder = ROOT / "tests" / "containers"
    for name in STAND_INS:
        engine.build(
            folder / "Containerfile", folder, target=name,
            tag=f"localhost/headrace-test-{name}:1", args={"BASE": BASE},
        )  # fmt: skip
    made = make_site(engine, tmp_path_factory.mktemp("site"), first_free(["headrace", "test"]))
    try:
        made.up()
        yield made
    finally:
        made.down()
