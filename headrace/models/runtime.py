"""Model runtimes behind a small port: feature rows in, one score a row out.

- LiteRT: ``ai_edge_litert`` where it is installed, its abandoned predecessor ``tflite_runtime``
  otherwise (32-bit Pis have no other).
- ONNX Runtime, for what other tools train (scikit-learn through skl2onnx). Graphs with operators of
  a library of their own are not loaded: no library is ever registered.

One thread: the models are small, a call over 256 rows takes microseconds, and the machine has better
use for a Pi's cores. Needs numpy: not for the agent's process, which runs models in ``sandbox``.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from types import ModuleType
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from headrace.errors import ModelError
from headrace.limits.consumers import INFERENCE_MAX_ROWS
from headrace.models.manifest import Manifest, Output

Matrix = NDArray[np.float64]
Scores = NDArray[np.float64]

_LITERT: Final = ("ai_edge_litert.interpreter", "tflite_runtime.interpreter")

#: A graph's only output, as it is; with several, LiteRT takes the first and ONNX the last of floats.
ANY_OUTPUT: Final = Output()

#: The largest float32. What leaves a model's range, in or out, is as far from normal as can be said.
_FAR: Final = float(np.finfo(np.float32).max)


class Scorer(Protocol):
    """What inference needs of a model."""

    def score(self, rows: Matrix) -> Scores:
        """One finite score for each row of finite features."""
        ...


class Described(Protocol):
    """What a runtime must know of a model: a card or a manifest says it."""

    @property
    def name(self) -> str: ...

    @property
    def feature_names(self) -> tuple[str, ...]: ...


def open_scorer(manifest: Manifest, graph: bytes) -> GraphScorer:
    """The runtime that a manifest names, with its graph loaded.

    Raises:
        ModelError: no runtime, not a graph, or a graph of another shape than the manifest says.
    """
    kind = {"litert": LiteRtScorer, "onnx": OnnxScorer}[manifest.runtime]
    return kind(manifest, graph, manifest.outputs[0])


class GraphScorer(ABC):
    """A loaded graph; not to be shared between threads.

    Raises:
        ModelError: no runtime, not a graph, or a graph of another shape than its description says.
    """

    def __init__(self, model: Described, graph: bytes, output: Output = ANY_OUTPUT) -> None:
        self._name = model.name
        self._features = len(model.feature_names)
        self._sign = -1.0 if output.negate else 1.0
        self._load(graph, output.tensor)
        # Two rows, so that a graph of another shape is found when it is loaded.
        self.score(np.zeros((2, self._features)))

    def score(self, rows: Matrix) -> Scores:
        scores: Scores = np.nan_to_num(self.raw(rows), nan=_FAR, posinf=_FAR, neginf=-_FAR)
        return scores

    def raw(self, rows: Matrix) -> Scores:
        """What the graph says, be it a number or not."""
        parts = [
            self._part(rows[at : at + INFERENCE_MAX_ROWS])
            for at in range(0, len(rows), INFERENCE_MAX_ROWS)
        ]
        return np.concatenate(parts) if parts else np.empty(0)

    def _part(self, rows: Matrix) -> Scores:
        features = np.clip(rows, -_FAR, _FAR).astype(np.float32)
        scores = np.asarray(self._invoke(features), np.float64)
        if scores.shape == (len(rows), 1):
            scores = scores[:, 0]
        if scores.shape != (len(rows),):
            raise ModelError(
                f"model {self._name}: expected one score a row, shape ({len(rows)},), "
                f"got {scores.shape}"
            )
        return scores * self._sign

    def _no_output(self, wanted: str, found: list[str]) -> ModelError:
        return ModelError(
            f"model {self._name}: expected an output of floats named {wanted or 'anything'!r}, "
            f"the graph has {', '.join(found) or 'none'}"
        )

    def _cannot(self, error: Exception) -> ModelError:
        return ModelError(
            f"model {self._name}: cannot score {self._features} float32 features: {error}"
        )

    @abstractmethod
    def _load(self, graph: bytes, tensor: str) -> None:
        """Load the graph and find its input and output."""

    @abstractmethod
    def _invoke(self, features: NDArray[np.float32]) -> NDArray[Any]:
        """The graph's answer.

        Raises:
            ModelError: it has none.
        """


class LiteRtScorer(GraphScorer):
    """A ``.tflite`` graph."""

    def _load(self, graph: bytes, tensor: str) -> None:
        self._interpreter = _load_litert(graph, self._name)
        self._input = self._interpreter.get_input_details()[0]["index"]
        outputs = {one["name"]: one["index"] for one in self._interpreter.get_output_details()}
        chosen = outputs.get(tensor, None if tensor else next(iter(outputs.values()), None))
        if chosen is None:
            raise self._no_output(tensor, list(outputs))
        self._output = chosen
        self._rows = -1

    def _invoke(self, features: NDArray[np.float32]) -> NDArray[Any]:
        try:
            if len(features) != self._rows:
                self._interpreter.resize_tensor_input(self._input, features.shape)
                self._interpreter.allocate_tensors()
                self._rows = len(features)
            self._interpreter.set_tensor(self._input, features)
            self._interpreter.invoke()
            found: NDArray[Any] = self._interpreter.get_tensor(self._output)
        except (RuntimeError, ValueError) as error:
            raise self._cannot(error) from error
        return found


class OnnxScorer(GraphScorer):
    """An ``.onnx`` graph: one input of features, and its last output of floats is the score."""

    def _load(self, graph: bytes, tensor: str) -> None:
        self._session = _load_onnx(graph, self._name)
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            raise ModelError(f"model {self._name}: expected one input, the graph has {len(inputs)}")
        floats = [one.name for one in self._session.get_outputs() if "float" in one.type]
        if not floats or (tensor and tensor not in floats):
            raise self._no_output(tensor, floats)
        self._input, self._output = inputs[0].name, tensor or floats[-1]

    def _invoke(self, features: NDArray[np.float32]) -> NDArray[Any]:
        errors = importlib.import_module("onnxruntime.capi.onnxruntime_pybind11_state")
        try:
            found: list[NDArray[Any]] = self._session.run([self._output], {self._input: features})
        except (RuntimeError, ValueError, errors.InvalidArgument, errors.Fail) as error:
            raise self._cannot(error) from error
        return found[0]


def _load_litert(graph: bytes, name: str) -> Any:
    try:
        runtime = _litert()
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


def _litert() -> ModuleType:
    for module in _LITERT:
        try:
            return importlib.import_module(module)
        except ImportError:
            continue
    raise ModelError(
        "models need ai-edge-litert or tflite-runtime, neither is installed",
        hint="pip install ai-edge-litert, or remove [[models]] from the configuration",
    )


def _load_onnx(graph: bytes, name: str) -> Any:
    try:
        onnx = importlib.import_module("onnxruntime")
        errors = importlib.import_module("onnxruntime.capi.onnxruntime_pybind11_state")
    except ImportError as error:
        raise ModelError(
            f"model {name}: is an ONNX graph, and onnxruntime is not installed",
            hint="pip install 'headrace[onnx]'",
        ) from error
    options = onnx.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnx.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except (
        RuntimeError, ValueError, errors.Fail, errors.InvalidGraph, errors.InvalidProtobuf,
        errors.InvalidArgument, errors.NotImplemented, errors.NoSuchFile, errors.RuntimeException,
    ) as error:  # fmt: skip
        raise ModelError(
            f"model {name}: not a graph that this runtime can load: {error}"
        ) from error
