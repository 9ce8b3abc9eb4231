"""A graph of another tool as a model's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from cloud_sync.models import package
from cloud_sync.models.frame import Frame
from headrace import __version__
from headrace.cards import Feature
from headrace.errors import ModelError
from headrace.models import formats
from headrace.models.manifest import (
    GOLDEN_NAME,
    GRAPH_NAMES,
    Golden,
    Lineage,
    Manifest,
    Output,
    encode,
    file_of,
)
from headrace.models.runtime import open_scorer

#: Golden rows, spread evenly over the file.
GOLDEN_ROWS: Final = 32


def wrap_graph(
    graph: Path, out: Path, frame: Frame, *, name: str, units: dict[str, str], threshold: float,
    align_s: float, tensor: str, negate: bool, trained_on: str,
) -> Manifest:  # fmt: skip
    """Check a graph, run it on rows, and write the folder.

    Raises:
        ModelError: it carries code, is damaged, or does not score these rows.
    """
    data = graph.read_bytes()
    runtime = formats.check_graph(data, str(graph))
    rows = np.concatenate(frame.files)
    chosen = rows[np.linspace(0, len(rows) - 1, min(GOLDEN_ROWS, len(rows))).astype(int)]
    chosen = chosen.astype(np.float32).astype(np.float64)
    draft = Manifest(
        name=name,
        version=1,
        runtime=runtime,
        graph=file_of(GRAPH_NAMES[runtime], data),
        golden=file_of(GOLDEN_NAME, b"{}"),
        features=tuple(Feature(each, units.get(each, "")) for each in frame.features),
        outputs=(Output(tensor=tensor, negate=negate),),
        align_s=align_s,
        threshold=threshold,
        lineage=Lineage(trained_on=trained_on, made_by=f"headrace {__version__}"),
    )
    scores = open_scorer(draft, data).raw(chosen)
    if not np.isfinite(scores).all():
        raise ModelError(f"{graph}: scores of these rows are not all numbers, got {scores}")
    golden = Golden(tuple(tuple(row) for row in chosen.tolist()), tuple(scores.tolist()))
    manifest = msgspec.structs.replace(draft, golden=file_of(GOLDEN_NAME, encode(golden)))
    package.write(out, manifest, data, golden)
    return manifest
