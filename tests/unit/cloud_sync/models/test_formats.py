"""Model files told by their bytes."""

from __future__ import annotations

import gzip
import io
import pickle
import zipfile

import flatbuffers
import numpy as np
import onnx
import pytest
from ai_edge_litert import schema_py_generated as schema
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from sklearn.ensemble import IsolationForest

from gateway.inference import SHIPPED_MODELS
from headrace import cards
from headrace.errors import ModelError
from headrace.models.formats import check_graph
from tests.graphs import good, stalls_when_hot


def tflite() -> bytes:
    return cards.read(SHIPPED_MODELS / "pump")[1]


def forest() -> bytes:
    rows = np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32)
    model = IsolationForest(n_estimators=5, random_state=0).fit(rows)
    made = to_onnx(model, rows[:1], target_opset={"": 17, "ai.onnx.ml": 3})
    return bytes(made.SerializeToString())


def custom_tflite(name: str) -> bytes:
    """The shipped graph with its first operator made a custom one."""
    model = schema.ModelT.InitFromPackedBuf(tflite(), 0)
    model.operatorCodes[0].builtinCode = schema.BuiltinOperator.CUSTOM
    model.operatorCodes[0].customCode = name
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def changed_onnx(change: str) -> bytes:
    """A good graph made to reach outside of itself."""
    model = onnx.load_from_string(good())
    if change == "domain":
        model.graph.node[0].domain = "com.somebody"
    if change == "inner domain":
        model = onnx.load_from_string(stalls_when_hot())
        loop = next(node for node in model.graph.node if node.op_type == "Loop")
        loop.attribute[0].g.node[0].domain = "com.somebody"
    if change == "external":
        weights = model.graph.initializer[0]
        weights.data_location = TensorProto.EXTERNAL
        weights.external_data.add(key="location", value="/etc/passwd")
    if change == "function":
        identity = helper.make_node("Identity", ["a"], ["b"])
        opset = [helper.make_opsetid("", 17)]
        model.functions.append(helper.make_function("own", "f", ["a"], ["b"], [identity], opset))
    return bytes(model.SerializeToString())


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("model.json", "{}")
    return buffer.getvalue()


def test_both_formats_are_known_by_their_structure() -> None:
    """A flatbuffer, a graph written by hand, and one that a converter wrote."""
    assert check_graph(tflite(), "x") == "litert"
    assert check_graph(good(), "x") == "onnx"
    assert check_graph(forest(), "x") == "onnx"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (pickle.dumps({"a": [1]}), "a pickle"),
        (pickle.dumps({"a": [1]}, 0), "a pickle of protocol 0"),
        (pickle.dumps(len, 0), "a pickle of protocol 0"),
        (gzip.compress(pickle.dumps([1]), mtime=0), "a gzip file"),
        (zipped(), "a zip archive"),
        (b"\x89HDF\r\n\x1a\n" + b"\0" * 64, "an HDF5 file"),
        (b"\x7fELF" + b"\0" * 64, "a program"),
        (b"#!/bin/sh\nrm -rf /\n", "a script"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_can_carry_code_is_refused_by_its_name(data: bytes, words: str) -> None:
    """And the message says what to do instead."""
    with pytest.raises(ModelError, match=f"{words}.*which can carry code.*convert"):
        check_graph(data, "model.tflite")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (custom_tflite("FlexErf"), "custom operator 'FlexErf'"),
        (changed_onnx("domain"), "domain 'com.somebody'"),
        (changed_onnx("inner domain"), "domain 'com.somebody'"),
        (changed_onnx("external"), "weights in another file"),
        (changed_onnx("function"), "functions of its own"),
    ],
    ids=["flex", "domain", "inner", "external", "function"],
)
def test_a_graph_that_reaches_outside_of_itself_is_refused(data: bytes, words: str) -> None:
    """Custom operators need a library, external data a file: neither is signed with the graph."""
    with pytest.raises(ModelError, match=words):
        check_graph(data, "x")


@pytest.mark.parametrize("make", [tflite, good, forest])
def test_damaged_files_are_refused_or_at_least_read_without_harm(make: object) -> None:
    """Every truncation, and a hundred flipped bytes: an answer or a ModelError, never another error."""
    data = make()  # type: ignore[operator]
    random = np.random.default_rng(1)
    cut = [data[:length] for length in random.integers(0, len(data) - 1, 100)]
    flipped = []
    for at in random.integers(0, len(data), 100):
        broken = bytearray(data)
        broken[at] ^= 0xFF
        flipped.append(bytes(broken))
    for each in cut + flipped:
        try:
            check_graph(each, "x")
        except ModelError:
            continue


@pytest.mark.parametrize("data", [b"", b"hello", b"\0" * 100, b"\x08\x08", b"1234TFL3"])
def test_bytes_that_are_neither_format_are_refused(data: bytes) -> None:
    """Not by a traceback."""
    with pytest.raises(ModelError, match=r"neither|TFLite"):
        check_graph(data, "x")


def test_a_graph_of_the_other_runtime_is_refused() -> None:
    """A manifest says which runtime; the bytes decide."""
    with pytest.raises(ModelError, match="expected a graph for litert, got one for onnx"):
        check_graph(good(), "x", expected="litert")
