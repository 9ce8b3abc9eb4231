"""What schemathesis has to know of our media types; named to it by SCHEMATHESIS_HOOKS."""

from __future__ import annotations

import cbor2
import schemathesis
from hypothesis import strategies as st

from tests.batches import payload

_NAMES = st.text('abc,= \\"é', min_size=1, max_size=5)
_LINES = st.builds(
    "{},tag={} field={} {}".format,
    _NAMES, _NAMES, st.floats(allow_nan=False) | _NAMES, st.integers(-5, 2**64),
)  # fmt: skip

schemathesis.openapi.format("line-protocol", st.lists(_LINES, min_size=1).map("\n".join))
schemathesis.openapi.media_type(
    "application/senml+cbor",
    st.binary() | st.builds(lambda v: cbor2.dumps([{0: "a", 2: v}]), st.floats()),
)
schemathesis.openapi.media_type(
    "application/vnd.apache.arrow.stream",
    st.binary() | st.just(payload("00000000000000aa", 1, 3)),
)
