"""Small ONNX graphs over the features ``a`` and ``b``: a good model, and every kind of bad one.

A good model's score is the mean of a row. The bad ones are good as long as ``a`` stays below ``HOT``,
so that they pass every check that is made before live readings.
"""

from __future__ import annotations

import onnx.parser

HOT = 50.0

_GRAPH = """
<ir_version: 8, opset_import: ["" : 17]>
model (float[n, 2] x) => (float[n] score)
<float hot = {{{hot}}}, int64[1] first = {{0}}, int64[1] one = {{1}}, int64[1] columns = {{1}}>
{{
  mean = ReduceMean <axes = [1], keepdims = 0> (x)
  column = Slice (x, first, one, columns)
  a = Squeeze (column, columns)
  is_hot = Greater (a, hot)
  {body}
}}
"""


def _model(body: str) -> bytes:
    made = onnx.parser.parse_model(_GRAPH.format(hot=HOT, body=body))
    onnx.checker.check_model(made)
    return bytes(made.SerializeToString())


def good() -> bytes:
    return _model("score = Identity (mean)")


def scaled(factor: float) -> bytes:
    """The same, times a factor: too near to or too far from its threshold."""
    return _model(f"factor = Constant <value = float {{{factor}}}> () score = Mul (mean, factor)")


def nan_when_hot() -> bytes:
    return _model("rest = Sub (hot, a) root = Sqrt (rest) none = Sub (root, root) score = Add (mean, none)")  # fmt: skip


def raises_when_hot() -> bytes:
    """Looks into a table of one row at place 7."""
    return _model(
        "table = Constant <value = float[1] {0.0}> () seven = Constant <value = int64 {7}> () "
        "flag = Cast <to = 7> (is_hot) place = Mul (flag, seven) found = Gather <axis = 0> (table, place) "
        "score = Add (mean, found)"
    )


def stalls_when_hot() -> bytes:
    """Counts to 2**62 first."""
    return _model(
        "flag = Cast <to = 7> (is_hot) any = ReduceMax <keepdims = 0> (flag) "
        "many = Constant <value = int64 {4611686018427387904}> () trips = Mul (any, many) "
        "go = Constant <value = bool {1}> () zero = Constant <value = float {0.0}> () "
        "last = Loop <body = once (int64 i, bool c, float v) => (bool d, float w) "
        "{ d = Identity (c) w = Identity (v) }> (trips, go, zero) "
        "score = Add (mean, last)"
    )


def eats_memory_when_hot() -> bytes:
    """Asks for 4 GB of zeros."""
    return _model(
        "flag = Cast <to = 7> (is_hot) any = ReduceMax <keepdims = 1> (flag) "
        "many = Constant <value = int64 {1000000000}> () shape = Mul (any, many) "
        "zeros = ConstantOfShape <value = float[1] {0.0}> (shape) total = ReduceSum <keepdims = 0> (zeros) "
        "score = Add (mean, total)"
    )


def two_scores() -> bytes:
    """Two numbers a row where one is expected."""
    text = """
<ir_version: 8, opset_import: ["" : 17]>
model (float[n, 2] x) => (float[n, 2] score) { score = Identity (x) }
"""
    return bytes(onnx.parser.parse_model(text).SerializeToString())
