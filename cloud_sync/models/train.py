"""From rows of normal running to a model's folder.

Nothing is written before LiteRT has scored the held-out rows and agrees with numpy: what a gateway
will compute is what was judged here. The threshold is a high quantile of held-out normal scores times
a margin: a quantile alone would, by its definition, be crossed again. The golden vectors are held-out
rows from the lowest score to the highest, and rows that are far from normal: a runtime that goes
wrong only on faults would be the worst of all.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from cloud_sync.models import package
from cloud_sync.models.frame import Frame
from cloud_sync.models.recipes import Made, make
from headrace import __version__, cards
from headrace.errors import ModelError
from headrace.models.manifest import (
    GOLDEN_NAME,
    GRAPH_NAMES,
    Golden,
    Lineage,
    Manifest,
    encode,
    file_of,
)
from headrace.models.runtime import LiteRtScorer

THRESHOLD_QUANTILE: Final = 0.9999
THRESHOLD_MARGIN: Final = 1.5

#: How far LiteRT's float32 scores may be from numpy's float64 ones, relative to 1 + the score.
TOLERANCE: Final = 0.01

#: Golden rows: from the held-out ones, and as many moved away from them by this many spreads.
GOLDEN_ROWS: Final = 16
GOLDEN_SHIFT: Final = 6.0

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Result:
    """What was trained: the model's files and how it went."""

    manifest: Manifest
    graph: bytes
    golden: Golden
    said: str
    largest_error: float

    @property
    def card(self) -> cards.Card:
        return self.manifest.card


def make_model(
    frame: Frame, *, name: str, units: dict[str, str], align_s: float, lineage: Lineage,
    max_epochs: int, recipe: str = "autoencoder",
) -> Result:  # fmt: skip
    """Train, choose the threshold, write the graph and check it.

    Raises:
        UsageError: too few rows, or too few features.
        ModelError: LiteRT does not agree with numpy, or is not installed.
    """
    rows = np.concatenate(frame.files)
    made = make(recipe, rows, seed=lineage.seed, max_epochs=max_epochs)
    scores = made.model.score(made.held_out)
    golden = golden_of(made, scores)
    threshold = float(np.quantile(scores, THRESHOLD_QUANTILE)) * THRESHOLD_MARGIN
    manifest = Manifest(
        name=name,
        version=1,
        runtime="litert",
        graph=file_of(GRAPH_NAMES["litert"], made.graph),
        golden=file_of(GOLDEN_NAME, encode(golden)),
        features=tuple(cards.Feature(each, units.get(each, "")) for each in frame.features),
        align_s=align_s,
        threshold=float(f"{threshold:.4g}"),
        input=f"float32 [n, {len(frame.features)}]: features in this order, as measured",
        output=made.output,
        lineage=msgspec.structs.replace(
            lineage, recipe=recipe, rows=len(rows), made_by=f"headrace {__version__}"
        ),
    )
    return Result(manifest, made.graph, golden, made.said, verify(manifest, made, scores))


def golden_of(made: Made, scores: Matrix) -> Golden:
    """Rows of all kinds of score, and what the model says of them."""
    order = np.argsort(scores, kind="stable")
    chosen = made.held_out[order[np.linspace(0, len(order) - 1, GOLDEN_ROWS).astype(int)]]
    spread = made.held_out.std(axis=0) * GOLDEN_SHIFT
    # One feature after the other, up and down in turn.
    signs = np.where(np.arange(GOLDEN_ROWS) % 2 == 0, 1.0, -1.0)
    moved = chosen.copy()
    columns = np.arange(GOLDEN_ROWS) % chosen.shape[1]
    moved[np.arange(GOLDEN_ROWS), columns] += signs * spread[columns]
    # What a runtime is given is float32: the golden rows are exactly that.
    rows = np.concatenate([chosen, moved]).astype(np.float32).astype(np.float64)
    return Golden(
        tuple(tuple(row) for row in rows.tolist()),
        tuple(made.model.score(rows).tolist()),
        TOLERANCE,
    )


def verify(manifest: Manifest, made: Made, expected: Matrix) -> float:
    """The largest difference between LiteRT and numpy, relative to 1 + the score.

    Raises:
        ModelError: it is larger than ``TOLERANCE``.
    """
    found = LiteRtScorer(manifest, made.graph).raw(made.held_out)
    largest = float(np.max(np.abs(found - expected) / (1.0 + expected)))
    if not largest <= TOLERANCE:
        raise ModelError(f"LiteRT and numpy differ by {largest:.3g}, expected at most {TOLERANCE}")
    return largest


def write(folder: Path, result: Result) -> None:
    """The folder: what ``models publish`` takes, and a card for ``[[models]] path = …``.

    Raises:
        ModelError: it cannot be written.
    """
    cards.write(folder, result.card, result.graph)
    package.write(folder, result.manifest, result.graph, result.golden)
