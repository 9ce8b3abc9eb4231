"""The matrix of inference against a dictionary of dictionaries."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gateway.inference.pivot import Cells, cells, pivot
from tests.gateway_entries import START, entry, rows

FEATURES = {"a": 0, "b": 1, "c": 2}
ALIGN_US = 1_000

reading = st.tuples(
    st.sampled_from(["a", "b", "c", "other"]),
    st.integers(0, 8_000),
    st.one_of(st.floats(-1e6, 1e6), st.just(float("nan")), st.just("text")),
)
batches = st.lists(
    st.tuples(st.integers(0, 3), st.lists(reading, min_size=1, max_size=20)), max_size=8
)


@given(batches)
def test_every_value_is_in_its_place_and_later_ones_win(
    found: list[tuple[int, list[tuple[str, int, float | str]]]],
) -> None:
    """Whatever the order of devices, times and features."""
    expected: dict[tuple[int, int], dict[int, float]] = {}
    last: dict[tuple[int, int], int] = {}
    parts = []
    for device, readings in found:
        names, offsets, values = (list(column) for column in zip(*readings, strict=True))
        batch = rows(names, [START + offset for offset in offsets], values)
        part = cells(entry(f"d{device}", batch), device, FEATURES)
        parts += [part] if part is not None else []
        for name, offset, value in readings:
            if name in FEATURES and not isinstance(value, str) and np.isfinite(value):
                place = (device, (START + offset) // ALIGN_US)
                expected.setdefault(place, {})[FEATURES[name]] = value
                last[place] = max(last.get(place, 0), START + offset)
    grid = pivot(Cells.join(parts), align_us=ALIGN_US, features=3)
    places = list(zip(grid.device.tolist(), grid.bucket.tolist(), strict=True))
    assert places == sorted(expected)
    assert grid.time.tolist() == [last[place] for place in places]
    for place, values in zip(places, grid.values, strict=True):
        assert {at: v for at, v in enumerate(values.tolist()) if v == v} == expected[place]
