"""A LiteRT interpreter behind a small port: feature rows in, one score a row out.

``ai_edge_litert`` is taken where it is installed, its abandoned predecessor ``tflite_runtime``
otherwise (32-bit Pis have no other). One thread: the models are small, a call over 256 rows takes
microseconds, and the gateway has better use for a Pi's cores.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from headrace.cards import Card
from headrace.errors import ModelError
from headrace.limits import INFERENCE_MAX_ROWS

Matrix = NDArray[np.float64]
Scores = NDArray[np.float64]

_RUNTIMES: Final = ("ai_edge_litert.interpreter", "tflite_runtime.interpreter")

#: The largest float32. What leaves a model's range, in or out, is as far from normal as can be said.
_FAR: Final = float(np.finfo(np.float32).max)


class Scorer(Protocol):
    """What inference needs of a model."""

    def score(self, rows: Matrix) -> Scores:
        """One finite score for each row of finite features."""
        ...


class LiteRtScorer:
    """A ``.tflite`` graph; not to be shared between threads.

    Raises:
        ModelError: no runtime, not a graph, or a graph of another shape than the card says.
    """

    def __init__(self, card: Card, graph: bytes) -> None:
        self._card = card
        self._interpreter = _load(graph, card.name)
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]
        self._rows = -1
        self.score(np.zeros((2, len(card.features))))

    def score(self, rows: Matrix) -> Scores:
        parts = [
            self._invoke(rows[at : at + INFERENCE_MAX_ROWS])
            for at in range(0, len(rows), INFERENCE_MAX_ROWS)
        ]
        return np.concatenate(parts) if parts else np.empty(0)

    def _invoke(self, rows: Matrix) -> Scores:
        features = np.clip(rows, -_FAR, _FAR).astype(np.float32)
        try:
            if len(rows) != self._rows:
                self._interpreter.resize_tensor_input(self._input, features.shape)
                self._interpreter.allocate_tensors()
                self._rows = len(rows)
            self._interpreter.set_tensor(self._input, features)
            self._interpreter.invoke()
            scores = self._interpreter.get_tensor(self._output).astype(np.float64)
        except (RuntimeError, ValueError) as error:
            raise ModelError(
                f"model {self._card.name}: cannot score {features.shape[1]} float32 features: {error}"
            ) from error
        if scores.shape != (len(rows),):
            raise ModelError(
                f"model {self._card.name}: expected one score a row, shape ({len(rows)},), "
                f"got {scores.shape}"
            )
        finite: Scores = np.nan_to_num(scores, nan=_FAR, posinf=_FAR, neginf=-_FAR)
        return finite


def _load(graph: bytes, name: str) -> Any:
    try:
        runtime = _runtime()
        # Without the default delegate: it is prepared anew at each change of the number of rows,
        # which costs more than it gains on models of a few kB, and it talks on stderr.
        plain = runtime.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        return runtime.Interpreter(
            model_content=graph, num_threads=1, experimental_op_resolver_type=plain
        )
    except (RuntimeError, ValueError, SystemError) as error:
        # SystemError: tflite_runtime 2.14 with numpy 2, at the first interpreter.
        raise ModelError(
            f"model {name}: not a graph that this runtime can load: {error}"
        ) from error


def _runtime() -> ModuleType:
    for module in _RUNTIMES:
        try:
            return importlib.import_module(module)
        except ImportError:
            continue
    raise ModelError(
        "models need ai-edge-litert or tflite-runtime, neither is installed",
        hint="pip install ai-edge-litert, or remove [[models]] from the configuration",
    )
