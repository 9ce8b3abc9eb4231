"""Codecs and the HTTP ingest against bytes of all kinds: taken as a whole, or refused with a reason."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import http, targets

TARGETS = targets.TARGETS | http.TARGETS


def seeds(target: str) -> list[bytes]:
    """What a target begins with."""
    return (http if target in http.TARGETS else targets).seeds(target)


@st.composite
def damaged(draw: st.DrawFn, target: str) -> bytes:
    """A seed (a wire vector, a request) with some bytes changed, cut out, doubled or put in."""
    data = bytearray(draw(st.sampled_from(seeds(target))))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        size = draw(st.integers(0, 6))
        part = data[at : at + size] * 2 if draw(st.booleans()) else draw(st.binary(max_size=6))
        data[at : at + size] = part
    return bytes(data)


@pytest.mark.parametrize("target", TARGETS)
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_readings_or_a_refusal(target: str, data: st.DataObject) -> None:
    """Never a crash, never half a batch, and both readers of a format agree."""
    TARGETS[target](data.draw(damaged(target) | st.binary(max_size=80)))
