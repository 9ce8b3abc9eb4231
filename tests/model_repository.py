"""A signed model repository in a folder, and packages to publish in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cloud_sync.models import keys, package
from cloud_sync.models.editor import Expiry, Signers
from cloud_sync.models.package import Package
from cloud_sync.models.releases import Releases, create
from headrace.cards import Feature
from headrace.clock import Clock, SystemClock
from headrace.lake.store import LocalStore
from headrace.models.manifest import (
    GOLDEN_NAME,
    GRAPH_NAMES,
    Golden,
    Manifest,
    Output,
    Runtime,
    encode,
    file_of,
)

#: Rows of the features a and b, and the scores that ``tests.graphs.good`` gives.
ROWS = ((1.0, 3.0), (4.0, 2.0))
SCORES = (2.0, 3.0)


def packed(
    graph: bytes,
    *,
    name: str = "m",
    runtime: Runtime = "onnx",
    features: Sequence[tuple[str, str]] = (("a", ""), ("b", "")),
    rows: Sequence[tuple[float, ...]] = ROWS,
    scores: Sequence[float] = SCORES,
    threshold: float = 10.0,
    version: int = 1,
    outputs: tuple[Output, ...] = (Output(),),
) -> Package:
    """A graph with everything that belongs to it."""
    golden = encode(Golden(inputs=tuple(rows), scores=tuple(scores)))
    manifest = Manifest(
        name=name,
        version=version,
        runtime=runtime,
        graph=file_of(GRAPH_NAMES[runtime], graph),
        golden=file_of(GOLDEN_NAME, golden),
        features=tuple(Feature(*feature) for feature in features),
        align_s=1.0,
        threshold=threshold,
        outputs=outputs,
    )
    return Package(manifest, graph, golden)


def write(folder: Path, made: Package) -> Path:
    """A package as the files that a runner reads."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / made.manifest.graph.name).write_bytes(made.graph)
    (folder / GOLDEN_NAME).write_bytes(made.golden)
    (folder / "manifest.json").write_bytes(encode(made.manifest))
    return folder


class Repository:
    """Publisher and keys; ``folder`` is what gateways read, ``root`` what they trust."""

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        self.folder = folder / "repository"
        self.root = folder / "root.json"
        signers = Signers(
            root=[keys.make(folder / "keys", "root", 1, "")],
            targets=[keys.make(folder / "keys", "targets", 1, "")],
            online=[keys.make(folder / "keys", role, 1, "") for role in keys.ONLINE],
        )
        store, clock = LocalStore(self.folder), clock or SystemClock()
        root = create(store, signers=signers, threshold=1, expiry=Expiry(), clock=clock)
        self.root.write_bytes(root)
        self.releases = Releases(store, trusted_root=root, signers=signers, clock=clock)

    def publish(self, made: Package, to: str = "") -> int:
        """Publish a version, and promote it where ``to`` says so."""
        version = self.releases.publish(made).version
        if to:
            self.releases.promote(made.manifest.name, version, to)
        return version

    def publish_folder(self, folder: Path, to: str = "") -> int:
        return self.publish(package.read(folder), to)
