"""Numbered vectors of the wire formats: what goes in, what comes out, what is refused and why."""

import io
import json
import struct

import cbor2
import pyarrow as pa
import pytest
import zstandard

from headrace import codecs
from headrace.codecs import arrow
from headrace.errors import PayloadError
from headrace.limits import MAX_DECODED_BYTES, MAX_PAYLOAD_BYTES
from tests.batches import payload, rows

STREAM = "00000000000000ab"
NOW = 1_760_000_000_000_000


def readings(format_name, data):
    decoded = codecs.decode(format_name, data, NOW)
    table = pa.Table.from_batches([decoded.rows]).to_pydict()
    times = decoded.rows.column("time").cast("int64").to_pylist()
    return list(zip(table["name"], times, table["value"], table["text"], strict=True))


SENML = {
    1: ([{"n": "t", "u": "Cel", "v": 23.1}], [("t", NOW, 23.1, None)]),
    2: (
        [{"bn": "dev/", "bt": 1.7e9, "n": "a", "v": 1}, {"n": "b", "t": -0.5, "v": 2}],
        [("dev/a", 1_700_000_000_000_000, 1.0, None), ("dev/b", 1_699_999_999_500_000, 2.0, None)],
    ),
    3: ([{"n": "a", "t": -3, "v": 1}], [("a", NOW - 3_000_000, 1.0, None)]),
    4: (
        [{"n": "on", "vb": True}, {"n": "off", "vb": False}, {"n": "s", "vs": "x"}, {"n": "d", "vd": "aGk"}],
        [("on", NOW, 1.0, None), ("off", NOW, 0.0, None), ("s", NOW, None, "x"), ("d", NOW, None, "aGk")],
    ),
    5: ([{"n": "e", "u": "W", "v": 5, "s": 120}], [("e.sum", NOW, 120.0, None), ("e", NOW, 5.0, None)]),
    6: ([{"n": "a", "bv": 100, "v": 1}, {"n": "b", "v": 2}], [("a", NOW, 101.0, None), ("b", NOW, 102.0, None)]),
    7: ([{"bn": "x/", "bt": 1.7e9}, {"n": "a", "v": 1}], [("x/a", 1_700_000_000_000_000, 1.0, None)]),
    8: ([{"n": "a", "v": 2**53}], [("a", NOW, float(2**53), None)]),
}  # fmt: skip

_LABELS = {
    "bn": -2,
    "bt": -3,
    "bu": -4,
    "bv": -5,
    "n": 0,
    "u": 1,
    "v": 2,
    "vs": 3,
    "vb": 4,
    "s": 5,
    "t": 6,
    "vd": 8,
}


@pytest.mark.parametrize("number", SENML)
def test_senml_json_vectors(number):
    """RFC 8428 packs as readings."""
    pack, expected = SENML[number]
    assert readings("senml-json", json.dumps(pack).encode()) == expected


@pytest.mark.parametrize("number", SENML)
def test_senml_cbor_vectors(number):
    """The same packs with CBOR's integer labels."""
    pack, expected = SENML[number]
    labelled = [{_LABELS[key]: value for key, value in record.items()} for record in pack]
    assert readings("senml-cbor", cbor2.dumps(labelled)) == expected


LINES = {
    1: ("cpu usage=1.5 1700000000000000000", [("cpu.usage", 1_700_000_000_000_000, 1.5, None)]),
    2: (
        "cpu,host=b,az=1 a=1i,b=t",
        [("cpu.a;az=1;host=b", NOW, 1.0, None), ("cpu.b;az=1;host=b", NOW, 1.0, None)],
    ),
    3: ('log msg="a \\"b\\" \\\\c, d=e"', [("log.msg", NOW, None, 'a "b" \\c, d=e')]),
    4: (r"my\ m,t\ k=v\,1 f\=x=2", [("my m.f=x;t k=v,1", NOW, 2.0, None)]),
    5: ("# a comment\n\na f=1\nb f=2u\n", [("a.f", NOW, 1.0, None), ("b.f", NOW, 2.0, None)]),
    6: ('a s="two\nlines",f=F', [("a.s", NOW, None, "two\nlines"), ("a.f", NOW, 0.0, None)]),
    8: ('a,t="q f=1\nb f="x"', [('a.f;t="q', NOW, 1.0, None), ("b.f", NOW, None, "x")]),
    9: (
        "a f=1 1700000000000000000\r\nb f=2",
        [("a.f", 1_700_000_000_000_000, 1.0, None), ("b.f", NOW, 2.0, None)],
    ),
    7: ("a f=-1e-3", [("a.f", NOW, -0.001, None)]),
}


@pytest.mark.parametrize("number", LINES)
def test_line_protocol_vectors(number):
    """InfluxDB's rules on escapes, integers, booleans, strings, missing time and comments."""
    text, expected = LINES[number]
    assert readings("line", text.encode()) == expected


def ipc(columns, metadata=None, options=None):
    schema = pa.schema(
        [pa.field(name, column.type) for name, column in columns.items()], metadata=metadata
    )
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, schema, options=options) as writer:
        writer.write_batch(pa.record_batch(list(columns.values()), schema=schema))
    return sink.getvalue()


def columns(**changed):
    made = {
        "name": pa.array(["a", "b"]),
        "time": pa.array([1, 2], pa.timestamp("us", tz="UTC")),
        "value": pa.array([1.0, None]),
        "text": pa.array([None, "x"]),
    } | changed
    return {name: column for name, column in made.items() if column is not None}


def test_arrow_is_taken_plain_and_in_a_zstd_frame():
    """Both are the same readings."""
    plain = ipc(columns())
    expected = [("a", 1, 1.0, None), ("b", 2, None, "x")]
    assert readings("arrow", plain) == expected
    assert readings("arrow", zstandard.ZstdCompressor().compress(plain)) == expected


def test_arrow_identity_and_units_come_from_the_metadata():
    """What a batch says of itself."""
    decoded = codecs.decode(
        "arrow", arrow.encode(rows(3), stream=STREAM, first_seq=7, units={"flow": "l/s"}), NOW
    )
    assert (decoded.stream, decoded.first_seq, decoded.units) == (STREAM, 7, {"flow": "l/s"})


@pytest.mark.parametrize(
    "changed",
    [
        {"text": None, "value": pa.array([1.0, 2.0])},
        {"value": pa.array([1, 2], pa.int32()), "text": None},
        {"value": pa.array([True, False]), "text": None},
        {"name": pa.array(["a", "b"]).dictionary_encode()},
        {"time": pa.array([0, 1], pa.timestamp("ms", tz="UTC"))},
        {"extra": pa.array([1, 2])},
    ],
)
def test_arrow_columns_may_be_of_nearby_types(changed):
    """Dictionary names, narrower numbers, other time units, absent text, unknown columns."""
    assert codecs.decode("arrow", ipc(columns(**changed)), NOW).rows.num_rows == 2


def bomb():
    return zstandard.ZstdCompressor(level=1).compress(bytes(MAX_DECODED_BYTES + 1))


def hidden_bomb():
    """A frame that does not say how large it is."""
    compressor = zstandard.ZstdCompressor(level=1, write_content_size=False)
    return compressor.compress(bytes(MAX_DECODED_BYTES + 1))


def wrong_offsets():
    """A stream whose string offsets point outside their buffer."""
    good = ipc(
        {
            "name": pa.array(["aaaa", "bbbb"]),
            "time": columns()["time"],
            "value": pa.array([1.0, 2.0]),
        }
    )
    return good.replace(struct.pack("<iii", 0, 4, 8), struct.pack("<iii", 0, 4, 2**30))


REFUSED = {
    "random bytes": ("arrow", b"\x01\x02\x03 not arrow at all", "broken_frame"),
    "empty": ("arrow", b"", "broken_frame"),
    "truncated frame": ("arrow", payload(STREAM, 1, 100)[:-20], "broken_frame"),
    "truncated stream": ("arrow", ipc(columns())[:-40], "broken_frame"),
    "two frames": ("arrow", payload(STREAM, 1, 2) * 2, "broken_frame"),
    "bomb": ("arrow", bomb(), "bomb"),
    "bomb without a size": ("arrow", hidden_bomb(), "broken_frame"),
    "compressed body": ("arrow", ipc(columns(), options=pa.ipc.IpcWriteOptions(compression="zstd")), "bomb"),
    "wrong offsets": ("arrow", wrong_offsets(), "broken_frame"),
    "no name": ("arrow", ipc(columns(name=None)), "bad_schema"),
    "name is a number": ("arrow", ipc(columns(name=pa.array([[1], [2]]))), "bad_schema"),
    "null name": ("arrow", ipc(columns(name=pa.array(["a", None]))), "bad_value"),
    "empty name": ("arrow", ipc(columns(name=pa.array(["a", ""]))), "bad_value"),
    "long name": ("arrow", ipc(columns(name=pa.array(["a", "n" * 513]))), "bad_value"),
    "null time": ("arrow", ipc(columns(time=pa.array([1, None], pa.timestamp("us", tz="UTC")))), "bad_value"),
    "time of another age": ("arrow", ipc(columns(time=pa.array([1, 2**62], pa.timestamp("us", tz="UTC")))), "bad_value"),
    "value and text": ("arrow", ipc(columns(value=pa.array([1.0, 2.0]))), "bad_value"),
    "neither": ("arrow", ipc(columns(text=pa.array([None, None], pa.utf8()))), "bad_value"),
    "number out of range": ("arrow", ipc(columns(value=pa.array([2**53 + 1, None], pa.int64()))), "bad_value"),
    "no rows": ("arrow", ipc({name: column[:0] for name, column in columns().items()}), "bad_schema"),
    "bad stream": ("arrow", arrow.encode(rows(1), stream="XYZ", first_seq=1), "bad_identity"),
    "seq 0": ("arrow", arrow.encode(rows(1), stream=STREAM, first_seq=0), "bad_identity"),
    "seq beyond": ("arrow", arrow.encode(rows(1), stream=STREAM, first_seq=2**62 + 1), "bad_identity"),
    "not json": ("senml-json", b"[{", "broken_frame"),
    "not a pack": ("senml-json", b'{"n":"a"}', "bad_schema"),
    "wrong type": ("senml-json", b'[{"n":"a","v":"1"}]', "bad_schema"),
    "two values": ("senml-json", b'[{"n":"a","v":1,"vs":"x"}]', "bad_value"),
    "inexact": ("senml-json", b'[{"n":"a","v":9007199254740993}]', "bad_value"),
    "new version": ("senml-json", b'[{"bver":11,"n":"a","v":1}]', "bad_schema"),
    "must understand": ("senml-json", b'[{"n":"a","v":1,"foo_":1}]', "bad_schema"),
    "no name at all": ("senml-json", b'[{"v":1}]', "bad_value"),
    "nested too deep": ("senml-json", b"[" * 100_000, "bad_schema"),
    "not cbor": ("senml-cbor", b"\xff\xff\xff", "broken_frame"),
    "cbor of something else": ("senml-cbor", cbor2.dumps({"a": 1}), "bad_schema"),
    "cbor cut off": ("senml-cbor", cbor2.dumps([{0: "a", 2: 1}])[:-1], "broken_frame"),
    "cbor giant claim": ("senml-cbor", b"\x9b\x7f\xff\xff\xff\xff\xff\xff\xff", "broken_frame"),
    "line without fields": ("line", b"cpu", "bad_value"),
    "line with a bad number": ("line", b"cpu a=1x", "bad_value"),
    "line with inf": ("line", b"cpu a=inf", "bad_value"),
    "line with a bad time": ("line", b"cpu a=1 yesterday", "bad_value"),
    "line out of range": ("line", b"cpu a=9007199254740993i", "bad_value"),
    "line not utf-8": ("line", b"cpu a=\xff", "broken_frame"),
    "one bad line of many": ("line", b"a f=1\nb f=\nc f=3", "bad_value"),
    "unknown format": ("xml", b"<a/>", "unknown_format"),
    "too large": ("line", b"#" * (MAX_PAYLOAD_BYTES + 1), "too_large"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_bad_payloads_are_refused_with_their_reason(case):
    """Never a crash, never half a batch."""
    format_name, data, reason = REFUSED[case]
    with pytest.raises(PayloadError) as caught:
        codecs.decode(format_name, data, NOW)
    assert caught.value.reason == reason
