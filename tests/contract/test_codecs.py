"""Payloads that are too large for a file among the wire vectors, or of no format at all."""

import pytest

from headrace import codecs
from headrace.errors import PayloadError
from headrace.limits import MAX_PAYLOAD_BYTES
from tests.wire_vectors import NOW_US

REFUSED = {
    "nested too deep": ("senml-json", b"[" * 100_000, "bad_schema"),
    "unknown format": ("xml", b"<a/>", "unknown_format"),
    "too large": ("line", b"#" * (MAX_PAYLOAD_BYTES + 1), "too_large"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_payloads_are_refused_with_their_reason(case):
    """Never a crash, never half a batch."""
    format_name, data, reason = REFUSED[case]
    with pytest.raises(PayloadError) as caught:
        codecs.decode(format_name, data, NOW_US)
    assert caught.value.reason == reason
