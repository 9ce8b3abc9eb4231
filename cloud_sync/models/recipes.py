"""The ways to make a model: each takes rows of normal running and gives a graph and what it says.

A recipe's score is about 1 where all is well, so that thresholds of different recipes compare.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from cloud_sync.models import autoencoder, t2q
from cloud_sync.models.tflite_writer import write_autoencoder, write_t2q
from headrace.errors import ModelError

Matrix = NDArray[np.float64]


class Scored(Protocol):
    """A trained model in numpy, which the graph must agree with."""

    def score(self, rows: Matrix) -> Matrix: ...


@dataclass(frozen=True, slots=True)
class Made:
    """What a recipe makes: the model, the same as a graph, rows it has not seen, and words."""

    model: Scored
    graph: bytes
    held_out: Matrix
    output: str
    said: str


def _autoencoder(rows: Matrix, seed: int, max_epochs: int) -> Made:
    trained = autoencoder.train(rows, seed=seed, max_epochs=max_epochs)
    return Made(
        trained.model,
        write_autoencoder(trained.model),
        trained.held_out,
        "float32 [n]: mean squared error of rebuilding, about 1 where normal",
        f"{trained.epochs} epochs",
    )


def _t2q(rows: Matrix, seed: int, _max_epochs: int) -> Made:
    fitted = t2q.fit(rows, seed=seed)
    return Made(
        fitted.model,
        write_t2q(fitted.model),
        fitted.held_out,
        "float32 [n]: the larger of Hotelling's T2 and Q, each about 1 where normal",
        f"{fitted.components} components",
    )


RECIPES: Final[dict[str, Callable[[Matrix, int, int], Made]]] = {
    "autoencoder": _autoencoder,
    "t2q": _t2q,
}


def make(recipe: str, rows: Matrix, *, seed: int, max_epochs: int) -> Made:
    """Train by a recipe; equal arguments give equal graphs.

    Raises:
        UsageError: too few rows, or too few features.
        ModelError: graphs cannot be written here.
    """
    try:
        return RECIPES[recipe](rows, seed, max_epochs)
    except ImportError as error:
        raise ModelError(
            f"writing a graph needs ai-edge-litert: {error}", hint="pip install ai-edge-litert"
        ) from error
