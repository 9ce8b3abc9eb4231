"""The folder of a model before it is published: read, checked, and run once.

``model.tflite`` or ``model.onnx``, ``golden.json`` and ``manifest.json``, as ``models train`` and
``models wrap`` write them. Its version is a draft: the repository gives the real one. Whatever a
runner would refuse is refused here first, where somebody is at the keyboard.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from headrace.errors import ModelError
from headrace.limits.models import MODEL_MAX_FILE_BYTES
from headrace.models import formats
from headrace.models.golden import check_golden
from headrace.models.manifest import (
    GOLDEN_NAME,
    MANIFEST_NAME,
    Golden,
    Manifest,
    check_file,
    decode_golden,
    decode_manifest,
    encode,
)
from headrace.models.runtime import open_scorer


@dataclass(frozen=True, slots=True)
class Package:
    """A model's three files, which agree with one another."""

    manifest: Manifest
    graph: bytes
    golden: bytes


def write(folder: Path, manifest: Manifest, graph: bytes, golden: Golden) -> None:
    """Write the files that ``read`` reads; the manifest last.

    Raises:
        ModelError: they cannot be written.
    """
    contents = {
        manifest.graph.name: graph,
        GOLDEN_NAME: encode(golden),
        MANIFEST_NAME: encode(manifest),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MANIFEST_NAME).unlink(missing_ok=True)
        for name, data in contents.items():
            (folder / name).write_bytes(data)
    except OSError as error:
        raise ModelError(f"{folder}: cannot be written: {error.strerror}") from error


def read(folder: Path) -> Package:
    """A model's folder, checked as a runner will check it.

    Raises:
        ModelError: a file is missing, is not what the manifest says, carries code, or gives other
            scores than the golden ones.
    """
    manifest = decode_manifest(_read(folder / MANIFEST_NAME), str(folder / MANIFEST_NAME))
    graph = _read(folder / manifest.graph.name)
    golden = _read(folder / manifest.golden.name)
    formats.check_graph(graph, str(folder / manifest.graph.name), expected=manifest.runtime)
    check_file(manifest.graph, graph, str(folder))
    check_file(manifest.golden, golden, str(folder))
    vectors = decode_golden(golden, manifest, str(folder / manifest.golden.name))
    rows = np.array(vectors.inputs, np.float64)
    check_golden(vectors, [float(score) for score in open_scorer(manifest, graph).raw(rows)])
    return Package(manifest, graph, golden)


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MODEL_MAX_FILE_BYTES:
            raise ModelError(f"{path}: larger than {MODEL_MAX_FILE_BYTES} bytes")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{path}: cannot be read: {error.strerror}",
            hint="`cloud-sync models train` or `models wrap` makes a folder that can be published",
        ) from error
