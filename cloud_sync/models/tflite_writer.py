"""Trained models as ``.tflite`` graphs, without TensorFlow.

::

    autoencoder   x [n, f] ── SUB mean ── MUL 1/scale ─┬─ FULLY_CONNECTED ─ TANH ─ … ─┐
                                                       └────── SQUARED_DIFFERENCE ────┘
                                                          MUL weight ── MEAN over f ── score [n]

    t2q           x [n, f] ── SUB mean ── MUL 1/scale ─┬─ FULLY_CONNECTED ─┬─ SQUARE ─ MUL ─ MEAN ──┐
                                                       │                   └─ FULLY_CONNECTED ─┐    │
                                                       └─ SQUARED_DIFFERENCE ──────────────────┘    │
                                                             MUL weight ── MEAN over f ── MAXIMUM ──┴─ score

The flatbuffer schema's object API (``ai_edge_litert.schema_py_generated``) is all that it takes. The
first dimension is dynamic (``shape_signature`` -1), weights are float32.
"""

from __future__ import annotations

from typing import Any, Final

import flatbuffers
import numpy as np
from numpy.typing import NDArray

from cloud_sync.models.autoencoder import ACTIVATED, Autoencoder
from cloud_sync.models.t2q import T2Q

Matrix = NDArray[np.float64]

_FILE_IDENTIFIER: Final = b"TFL3"
_SCHEMA_VERSION: Final = 3


def write_autoencoder(model: Autoencoder) -> bytes:
    """The whole model, normalisation and score included."""
    graph = _Graph("Headrace autoencoder")
    rows, inputs = graph.standardised(model.mean, model.scale)
    rebuilt = inputs
    for at, ((weights, bias), activated) in enumerate(zip(model.layers, ACTIVATED, strict=True)):
        rebuilt = graph.dense(rebuilt, weights, bias, f"layer{at}")
        if activated:
            rebuilt = graph.add("TANH", None, [rebuilt], [1, len(bias)], f"layer{at}/tanh")
    squares = graph.squared_difference(inputs, rebuilt, len(model.mean))
    return graph.finish(rows, graph.weighted_mean(squares, model.weight, "score"))


def write_t2q(model: T2Q) -> bytes:
    """The whole model, normalisation and score included."""
    graph = _Graph("Headrace T2 and Q")
    schema, features, kept = graph.schema, len(model.mean), len(model.weight_t2)
    rows, inputs = graph.standardised(model.mean, model.scale)
    components = graph.dense(inputs, model.into, np.zeros(kept), "components")
    along = graph.add("SQUARE", schema.SquareOptionsT(), [components], [1, kept], "along")
    t2 = graph.weighted_mean(along, model.weight_t2, "t2")
    rebuilt = graph.dense(components, model.back, np.zeros(features), "rebuilt")
    q = graph.weighted_mean(
        graph.squared_difference(inputs, rebuilt, features), model.weight_q, "q"
    )
    larger = graph.add("MAXIMUM", schema.MaximumMinimumOptionsT(), [t2, q], [1], "score")
    return graph.finish(rows, larger)


class _Graph:
    """Collects tensors and operators of one subgraph."""

    def __init__(self, description: str) -> None:
        # Imported here: 700 kB of generated code that only training needs.
        from ai_edge_litert import schema_py_generated as schema

        self.schema: Any = schema
        self._model = schema.ModelT()
        self._model.version = _SCHEMA_VERSION
        self._model.description = description
        self._model.buffers = [schema.BufferT()]  # buffer 0 is the empty one
        self._model.operatorCodes = []
        self._graph = schema.SubGraphT()
        self._graph.name = "main"
        self._graph.tensors = []
        self._graph.operators = []
        self._codes: dict[str, int] = {}

    def tensor(self, name: str, shape: list[int]) -> int:
        """A tensor that is computed; its first dimension is the number of rows."""
        return self._add_tensor(name, shape, 0, self.schema.TensorType.FLOAT32, [-1, *shape[1:]])

    def constant(self, name: str, values: NDArray[Any]) -> int:
        """A tensor that is stored in the file."""
        whole = values.dtype.kind == "i"
        stored = np.ascontiguousarray(values, np.int32 if whole else np.float32)
        buffer = self.schema.BufferT()
        buffer.data = np.frombuffer(stored.tobytes(), np.uint8)
        self._model.buffers.append(buffer)
        types = self.schema.TensorType
        kind = types.INT32 if whole else types.FLOAT32
        return self._add_tensor(name, list(stored.shape), len(self._model.buffers) - 1, kind, None)

    def _add_tensor(
        self, name: str, shape: list[int], buffer: int, kind: int, signature: list[int] | None
    ) -> int:
        tensor = self.schema.TensorT()
        tensor.name, tensor.shape, tensor.buffer, tensor.type = name, shape, buffer, kind
        tensor.shapeSignature = signature
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def add(
        self, operator: str, options: Any, inputs: list[int], shape: list[int], name: str
    ) -> int:
        """An operator; gives its output tensor."""
        made = self.schema.OperatorT()
        made.opcodeIndex = self._code(operator)
        made.inputs = inputs
        made.outputs = [self.tensor(name, shape)]
        if options is not None:
            kind = type(options).__name__.removesuffix("T")
            made.builtinOptionsType = getattr(self.schema.BuiltinOptions, kind)
            made.builtinOptions = options
        self._graph.operators.append(made)
        return int(made.outputs[0])

    def binary(
        self, operator: str, options: Any, left: int, right: NDArray[Any], width: int, name: str
    ) -> int:
        """An operator between a tensor and a constant row."""
        constant = self.constant(f"{name}/constant", right)
        return self.add(operator, options, [left, constant], [1, width], name)

    def dense(
        self, inputs: int, weights: NDArray[np.float64], bias: NDArray[np.float64], name: str
    ) -> int:
        """A FULLY_CONNECTED layer; TFLite keeps weights as [out, in]."""
        constants = [self.constant(f"{name}/weights", weights.T), self.constant(f"{name}/bias", bias)]  # fmt: skip
        options = self.schema.FullyConnectedOptionsT()
        return self.add("FULLY_CONNECTED", options, [inputs, *constants], [1, len(bias)], name)

    def standardised(self, mean: Matrix, scale: Matrix) -> tuple[int, int]:
        """The graph's input, and the same in units of each feature's spread."""
        features = len(mean)
        rows = self.tensor("x", [1, features])
        centred = self.binary("SUB", self.schema.SubOptionsT(), rows, mean, features, "centred")
        return rows, self.binary(
            "MUL", self.schema.MulOptionsT(), centred, 1.0 / scale, features, "z"
        )

    def squared_difference(self, left: int, right: int, width: int) -> int:
        options = self.schema.SquaredDifferenceOptionsT()
        return self.add("SQUARED_DIFFERENCE", options, [left, right], [1, width], "squares")

    def weighted_mean(self, inputs: int, weight: Matrix, name: str) -> int:
        """The mean over the columns, each times its weight: one number a row."""
        options = self.schema.MulOptionsT()
        weighted = self.binary(
            "MUL", options, inputs, weight, len(weight), f"{name}/weighted".removeprefix("score/")
        )
        axis = self.constant(f"{name}/axis", np.array([1], np.int32))
        reducer = self.schema.ReducerOptionsT()
        reducer.keepDims = False
        return self.add("MEAN", reducer, [weighted, axis], [1], name)

    def finish(self, inputs: int, output: int) -> bytes:
        """The file's bytes, with the signature ``serving_default`` (x → score)."""
        self._graph.inputs, self._graph.outputs = [inputs], [output]
        self._model.subgraphs = [self._graph]
        signature = self.schema.SignatureDefT()
        signature.signatureKey = "serving_default"
        signature.subgraphIndex = 0
        signature.inputs = [self._named("x", inputs)]
        signature.outputs = [self._named("score", output)]
        self._model.signatureDefs = [signature]
        builder = flatbuffers.Builder(4096)
        builder.Finish(self._model.Pack(builder), _FILE_IDENTIFIER)
        return bytes(builder.Output())

    def _named(self, name: str, tensor: int) -> Any:
        named = self.schema.TensorMapT()
        named.name, named.tensorIndex = name, tensor
        return named

    def _code(self, operator: str) -> int:
        if operator not in self._codes:
            code = self.schema.OperatorCodeT()
            number = getattr(self.schema.BuiltinOperator, operator)
            code.builtinCode = number
            code.deprecatedBuiltinCode = min(number, 127)
            code.version = 1
            self._codes[operator] = len(self._model.operatorCodes)
            self._model.operatorCodes.append(code)
        return self._codes[operator]
