"""Hotelling's T² and the squared prediction error Q: principal components, in closed form.

Features that hang together move in few directions. T² is how far a row is along the directions that
normal rows move in; Q (SPE) is how far it is from them. The score is the larger of the two, each in
units of what it is on held-out normal rows: about 1 where all is well. There is nothing to tune and
nothing random but the choice of held-out rows; where features hang together in straight lines it
sees what an autoencoder sees, and it can be explained to the person who has to act.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cloud_sync.models.autoencoder import HELD_OUT_SHARE, MIN_ROWS
from headrace.errors import UsageError

Matrix = NDArray[np.float64]

#: Share of the variance that the kept directions explain.
EXPLAINED: Final = 0.95
#: Below this a spread or a variance is none.
_SMALLEST: Final = 1e-9


@dataclass(frozen=True, slots=True)
class T2Q:
    """``into`` maps standardised features to scaled components, ``back`` maps these back again.

    ``weight_t2`` and ``weight_q`` are one over the means on held-out rows; Q has one for each feature.
    """

    mean: Matrix
    scale: Matrix
    into: Matrix
    back: Matrix
    weight_t2: Matrix
    weight_q: Matrix

    def score(self, rows: Matrix) -> Matrix:
        """One score a row, in the units that were measured."""
        inputs = (rows - self.mean) / self.scale
        components = inputs @ self.into
        t2 = (np.square(components) * self.weight_t2).mean(axis=1)
        q = (np.square(inputs - components @ self.back) * self.weight_q).mean(axis=1)
        scores: Matrix = np.maximum(t2, q)
        return scores


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model, what it was not fitted to, and how many directions it keeps."""

    model: T2Q
    held_out: Matrix
    components: int


def fit(rows: Matrix, *, seed: int) -> Fitted:
    """Fit to rows of normal running; equal arguments give equal models.

    Raises:
        UsageError: too few rows, or a single feature, which hangs together with nothing.
    """
    if len(rows) < MIN_ROWS:
        raise UsageError(f"expected at least {MIN_ROWS} rows of normal running, got {len(rows)}")
    if rows.shape[1] < 2:
        raise UsageError(f"t2q: expected at least 2 features, got {rows.shape[1]}")
    order = np.random.default_rng(seed).permutation(len(rows))
    held = int(len(rows) * HELD_OUT_SHARE)
    held_out, learnt = rows[order[:held]], rows[order[held:]]
    mean, scale = learnt.mean(axis=0), np.maximum(learnt.std(axis=0), _SMALLEST)
    directions, variances = _principal((learnt - mean) / scale)
    into, back = directions / np.sqrt(variances), (directions * np.sqrt(variances)).T
    check = (held_out - mean) / scale
    components = check @ into
    t2, q = np.square(components), np.square(check - components @ back)
    model = T2Q(
        mean,
        scale,
        into,
        back,
        1.0 / np.maximum(t2.mean(axis=0), _SMALLEST),
        1.0 / np.maximum(q.mean(axis=0), _SMALLEST),
    )
    return Fitted(model, held_out, directions.shape[1])


def _principal(inputs: Matrix) -> tuple[Matrix, Matrix]:
    """The directions [features, kept] that explain enough, and their variances; never all of them."""
    variances, directions = np.linalg.eigh(np.cov(inputs, rowvar=False))
    variances, directions = np.maximum(variances[::-1], _SMALLEST), directions[:, ::-1]
    # The sign of an eigenvector is arbitrary; fixed, so that equal data give equal bytes.
    directions = directions * np.sign(
        directions[np.abs(directions).argmax(axis=0), range(len(variances))]
    )
    explained = np.cumsum(variances) / variances.sum()
    kept = min(int(np.searchsorted(explained, EXPLAINED)) + 1, len(variances) - 1)
    return directions[:, :kept], variances[:kept]
