"""An autoencoder as a ``.tflite`` graph, without TensorFlow.

::

    x [n, f] ── SUB mean ── MUL 1/scale ─┬─ FULLY_CONNECTED ─ TANH ─ FULLY_CONNECTED ─ … ─┐
                                         └───────────────── SQUARED_DIFFERENCE ───────────┘
                                                  MUL weight ── MEAN over f ── score [n]

The flatbuffer schema's object API (``ai_edge_litert.schema_py_generated``) is all that it takes. The
first dimension is dynamic (``shape_signature`` -1), weights are float32.
"""

from __future__ import annotations

from typing import Any, Final

import flatbuffers
import numpy as np
from numpy.typing import NDArray

from cloud_sync.models.autoencoder import ACTIVATED, Autoencoder

_FILE_IDENTIFIER: Final = b"TFL3"
_SCHEMA_VERSION: Final = 3


def write_graph(model: Autoencoder) -> bytes:
    """The whole model, normalisation and score included."""
    # Imported here: 700 kB of generated code that only training needs.
    from ai_edge_litert import schema_py_generated as schema

    features = len(model.mean)
    graph = _Graph(schema)
    rows = graph.tensor("x", [1, features])
    centred = graph.binary("SUB", schema.SubOptionsT(), rows, model.mean, features, "centred")
    inputs = graph.binary("MUL", schema.MulOptionsT(), centred, 1.0 / model.scale, features, "z")
    rebuilt = inputs
    for at, ((weights, bias), activated) in enumerate(zip(model.layers, ACTIVATED, strict=True)):
        rebuilt = graph.dense(rebuilt, weights, bias, f"layer{at}")
        if activated:
            rebuilt = graph.add("TANH", None, [rebuilt], [1, len(bias)], f"layer{at}/tanh")
    squares = graph.add(
        "SQUARED_DIFFERENCE", schema.SquaredDifferenceOptionsT(), [inputs, rebuilt], [1, features], "squares"
    )  # fmt: skip
    weighted = graph.binary(
        "MUL", schema.MulOptionsT(), squares, model.weight, features, "weighted"
    )
    score = graph.mean(weighted)
    return graph.finish(rows, score)


class _Graph:
    """Collects tensors and operators of one subgraph."""

    def __init__(self, schema: Any) -> None:
        self._schema = schema
        self._model = schema.ModelT()
        self._model.version = _SCHEMA_VERSION
        self._model.description = "Headrace autoencoder"
        self._model.buffers = [schema.BufferT()]  # buffer 0 is the empty one
        self._model.operatorCodes = []
        self._graph = schema.SubGraphT()
        self._graph.name = "main"
        self._graph.tensors = []
        self._graph.operators = []
        self._codes: dict[str, int] = {}

    def tensor(self, name: str, shape: list[int]) -> int:
        """A tensor that is computed; its first dimension is the number of rows."""
        return self._add_tensor(name, shape, 0, self._schema.TensorType.FLOAT32, [-1, *shape[1:]])

    def constant(self, name: str, values: NDArray[Any]) -> int:
        """A tensor that is stored in the file."""
        whole = values.dtype.kind == "i"
        stored = np.ascontiguousarray(values, np.int32 if whole else np.float32)
        buffer = self._schema.BufferT()
        buffer.data = np.frombuffer(stored.tobytes(), np.uint8)
        self._model.buffers.append(buffer)
        types = self._schema.TensorType
        kind = types.INT32 if whole else types.FLOAT32
        return self._add_tensor(name, list(stored.shape), len(self._model.buffers) - 1, kind, None)

    def _add_tensor(
        self, name: str, shape: list[int], buffer: int, kind: int, signature: list[int] | None
    ) -> int:
        tensor = self._schema.TensorT()
        tensor.name, tensor.shape, tensor.buffer, tensor.type = name, shape, buffer, kind
        tensor.shapeSignature = signature
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def add(
        self, operator: str, options: Any, inputs: list[int], shape: list[int], name: str
    ) -> int:
        """An operator; gives its output tensor."""
        made = self._schema.OperatorT()
        made.opcodeIndex = self._code(operator)
        made.inputs = inputs
        made.outputs = [self.tensor(name, shape)]
        if options is not None:
            kind = type(options).__name__.removesuffix("T")
            made.builtinOptionsType = getattr(self._schema.BuiltinOptions, kind)
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
        options = self._schema.FullyConnectedOptionsT()
        return self.add("FULLY_CONNECTED", options, [inputs, *constants], [1, len(bias)], name)

    def mean(self, inputs: int) -> int:
        """The mean over the features: one number a row."""
        axis = self.constant("score/axis", np.array([1], np.int32))
        options = self._schema.ReducerOptionsT()
        options.keepDims = False
        return self.add("MEAN", options, [inputs, axis], [1], "score")

    def finish(self, inputs: int, output: int) -> bytes:
        """The file's bytes, with the signature ``serving_default`` (x → score)."""
        self._graph.inputs, self._graph.outputs = [inputs], [output]
        self._model.subgraphs = [self._graph]
        signature = self._schema.SignatureDefT()
        signature.signatureKey = "serving_default"
        signature.subgraphIndex = 0
        signature.inputs = [self._named("x", inputs)]
        signature.outputs = [self._named("score", output)]
        self._model.signatureDefs = [signature]
        builder = flatbuffers.Builder(4096)
        builder.Finish(self._model.Pack(builder), _FILE_IDENTIFIER)
        return bytes(builder.Output())

    def _named(self, name: str, tensor: int) -> Any:
        named = self._schema.TensorMapT()
        named.name, named.tensorIndex = name, tensor
        return named

    def _code(self, operator: str) -> int:
        if operator not in self._codes:
            code = self._schema.OperatorCodeT()
            number = getattr(self._schema.BuiltinOperator, operator)
            code.builtinCode = number
            code.deprecatedBuiltinCode = min(number, 127)
            code.version = 1
            self._codes[operator] = len(self._model.operatorCodes)
            self._model.operatorCodes.append(code)
        return self._codes[operator]
