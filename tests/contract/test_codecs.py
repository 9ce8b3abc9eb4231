"""Payloads that are too large for a file among the wire vectors, or of no format at all."""

import pytest

from headrace import codecs
from headrace.errors import PayloadError
from headrace.limits.wire import MAX_PAYLOAD_BYTES
from tests.wire_vectors import NOW_US

MANY = MAX_PAYLOAD_BYTES - 1_000

REFUSED = {
    "nested too deep": ("senml-json", lambda: b"[" * 100_000, "bad_schema"),
    "unknown format": ("xml", lambda: b"<a/>", "unknown_format"),
    "too large": ("line", lambda: b"#" * (MAX_PAYLOAD_BYTES + 1), "too_large"),
    "names that outgrow the payload": (
        "line",
        lambda: b"m,t=" + b"x" * 480 + b" " + b",".join(b"%x=1" % n for n in range(200_000)),
        "bomb",
    ),
    "SenML names that outgrow the payload": (
        "senml-json",
        lambda: (
            b'[{"bn":"' + b"x" * 480 + b'"}' + b"".join(b',{"n":"%x","v":1}' % n for n in range(150_000)) + b"]"
        ),
        "bomb",
    ),
    "records without end": ("senml-json", lambda: b"[" + b"{}," * (MANY // 3) + b"{}]", "too_large"),
    "CBOR records without end": (
        "senml-cbor",
        lambda: b"\x9f" + b"\xa3\x00\x61a\x02\x01\x06\x00" * 200_001 + b"\xff",
        "too_large",
    ),
    "CBOR maps without end": ("senml-cbor", lambda: b"\x9f" + b"\xa0" * MANY + b"\xff", "bomb"),
    "a CBOR map of keys that collide": (
        "senml-cbor",
        lambda: b"\x81\xba\x00\x03\x0d\x40" + b"".join(
            b"\x82\x1b%b\x00\x00" % (n * (2**61 - 1) % 2**64).to_bytes(8, "big") for n in range(200_000)
        ),
        "bomb",
    ),
    "CBOR without an end to its depth": ("senml-cbor", lambda: b"\x81" * MANY, "bomb"),
    "Sparkplug metrics without end": ("sparkplug", lambda: b"\x12\x00" * 2_000_000, "too_large"),
    "Sparkplug beyond its own bound": ("sparkplug", lambda: b"\0" * (4 * 1024 * 1024 + 1), "too_large"),
    "a Sparkplug data set of empty rows": (
        "sparkplug",
        lambda: b"\x12\x8a\x89z\n\x01t \x10\x8a\x01\x80\x89z" + b"\x22\x00" * 1_000_000,
        "too_large",
    ),
    "a line of tags": ("line", lambda: b"m" + b"".join(b",%x=1" % n for n in range(500_000)) + b" f=1", "bad_value"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_bad_payloads_are_refused_with_their_reason(case):
    """Never a crash, never half a batch."""
    format_name, data, reason = REFUSED[case]
    with pytest.raises(PayloadError) as caught:
        codecs.decode(format_name, data(), NOW_US)
    assert caught.value.reason == reason
