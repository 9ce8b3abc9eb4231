"""A small dense autoencoder in numpy: features-6-3-6-features, tanh, Adam.

It learns how features that were measured together hang together; what it cannot rebuild is not
normal. The score of a row is the mean over the features of (input - rebuilt)², each in units of what
that feature's error is on held-out normal rows: about 1 where all is well, whatever the units, and
a quiet feature counts as much as a noisy one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from headrace.errors import UsageError

Matrix = NDArray[np.float64]
Layer = tuple[Matrix, Matrix]

HIDDEN: Final = (6, 3, 6)
#: Layers whose output goes through tanh; the code in the middle and the output are linear.
ACTIVATED: Final = (True, False, True, False)

LEARNING_RATE: Final = 3e-3
BATCH_ROWS: Final = 128
#: Epochs without a better held-out loss before training stops.
PATIENCE: Final = 12
HELD_OUT_SHARE: Final = 0.2
MIN_ROWS: Final = 500

#: Two features that never move would give a scale of 0; nothing is measured finer than this.
_SMALLEST: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Autoencoder:
    """Weights, and the numbers that make features comparable.

    ``layers``: (weights [in, out], bias [out]). ``weight``: one over the mean squared error of each
    standardised feature on held-out rows.
    """

    mean: Matrix
    scale: Matrix
    layers: tuple[Layer, ...]
    weight: Matrix

    def score(self, rows: Matrix) -> Matrix:
        """One score a row, in the units that were measured."""
        inputs = (rows - self.mean) / self.scale
        rebuilt = _forward(self.layers, inputs)[-1]
        scores: Matrix = (np.square(inputs - rebuilt) * self.weight).mean(axis=1)
        return scores


@dataclass(frozen=True, slots=True)
class Trained:
    """A model and what came out of its training."""

    model: Autoencoder
    held_out: Matrix
    epochs: int
    loss: float


def train(rows: Matrix, *, seed: int, max_epochs: int) -> Trained:
    """Fit an autoencoder to rows of normal running; equal arguments give equal weights.

    Raises:
        UsageError: too few rows to learn from.
    """
    if len(rows) < MIN_ROWS:
        raise UsageError(f"expected at least {MIN_ROWS} rows of normal running, got {len(rows)}")
    random = np.random.default_rng(seed)
    order = random.permutation(len(rows))
    held = int(len(rows) * HELD_OUT_SHARE)
    held_out, learnt = rows[order[:held]], rows[order[held:]]
    mean, scale = learnt.mean(axis=0), np.maximum(learnt.std(axis=0), _SMALLEST)
    inputs, check = (learnt - mean) / scale, (held_out - mean) / scale
    layers, epochs, loss = _fit(inputs, check, random, max_epochs)
    error = np.square(check - _forward(layers, check)[-1]).mean(axis=0)
    model = Autoencoder(mean, scale, layers, 1.0 / np.maximum(error, _SMALLEST))
    return Trained(model, held_out, epochs, loss)


def _fit(
    inputs: Matrix, check: Matrix, random: np.random.Generator, max_epochs: int
) -> tuple[tuple[Layer, ...], int, float]:
    layers = _start(inputs.shape[1], random)
    adam = _Adam(layers)
    best, best_loss, waited, epoch = _copy(layers), np.inf, 0, 0
    for epoch in range(1, max_epochs + 1):
        # A falling rate: the last epochs settle instead of jumping about.
        rate = LEARNING_RATE * 0.5 * (1.0 + np.cos(np.pi * (epoch - 1) / max_epochs))
        for rows in _batches(len(inputs), random):
            adam.step(layers, _gradients(layers, inputs[rows]), rate)
        loss = float(np.square(check - _forward(layers, check)[-1]).mean())
        if loss < best_loss * 0.9995:
            best, best_loss, waited = _copy(layers), loss, 0
        elif (waited := waited + 1) >= PATIENCE:
            break
    return tuple(best), epoch, float(best_loss)


def _start(features: int, random: np.random.Generator) -> list[Layer]:
    sizes = (features, *HIDDEN, features)
    return [
        (random.normal(0.0, np.sqrt(1.0 / inside), (inside, outside)), np.zeros(outside))
        for inside, outside in pairwise(sizes)
    ]


def _batches(rows: int, random: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    order = random.permutation(rows)
    for at in range(0, rows, BATCH_ROWS):
        yield order[at : at + BATCH_ROWS]


def _forward(layers: tuple[Layer, ...] | list[Layer], inputs: Matrix) -> list[Matrix]:
    """The input and the output of each layer."""
    outputs = [inputs]
    for (weights, bias), activated in zip(layers, ACTIVATED, strict=True):
        linear = outputs[-1] @ weights + bias
        outputs.append(np.tanh(linear) if activated else linear)
    return outputs


def _gradients(layers: list[Layer], inputs: Matrix) -> list[Layer]:
    outputs = _forward(layers, inputs)
    error = 2.0 * (outputs[-1] - inputs) / inputs.size
    gradients: list[Layer] = []
    for at in range(len(layers) - 1, -1, -1):
        if ACTIVATED[at]:
            error = error * (1.0 - np.square(outputs[at + 1]))
        gradients.append((outputs[at].T @ error, error.sum(axis=0)))
        error = error @ layers[at][0].T
    return gradients[::-1]


class _Adam:
    """Adam with its usual constants."""

    def __init__(self, layers: list[Layer]) -> None:
        self._first = [[np.zeros_like(part) for part in layer] for layer in layers]
        self._second = [[np.zeros_like(part) for part in layer] for layer in layers]
        self._steps = 0

    def step(self, layers: list[Layer], gradients: list[Layer], rate: float) -> None:
        self._steps += 1
        correction = np.sqrt(1.0 - 0.999**self._steps) / (1.0 - 0.9**self._steps)
        for at, (layer, gradient) in enumerate(zip(layers, gradients, strict=True)):
            for part in range(2):
                first, second = self._first[at][part], self._second[at][part]
                first += 0.1 * (gradient[part] - first)
                second += 0.001 * (np.square(gradient[part]) - second)
                layer[part][...] -= rate * correction * first / (np.sqrt(second) + 1e-8)


def _copy(layers: list[Layer]) -> list[Layer]:
    return [(weights.copy(), bias.copy()) for weights, bias in layers]
