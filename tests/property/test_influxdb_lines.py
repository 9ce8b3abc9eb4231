"""Line protocol that the sink writes, read back by the codec that takes line protocol in."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.sinks.influxdb.lines import points
from headrace.codecs import line
from tests.gateway_entries import START, entry, rows

names = st.text(st.characters(exclude_characters="\\\n\r", exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")) | st.sampled_from(" ,="), min_size=1, max_size=20)  # fmt: skip
values = st.floats(allow_nan=False, allow_infinity=False) | st.text(
    st.characters(exclude_categories=("Cs",)), max_size=30
)


@given(st.lists(st.tuples(names, values), min_size=1, max_size=20))
@settings(deadline=None)
def test_what_is_written_reads_back_as_it_was(readings: list[tuple[str, float | str]]) -> None:
    """Names, numbers to the last bit, texts with quotes and line breaks, times."""
    series, said = (list(column) for column in zip(*readings, strict=True))
    times = [START + at for at in range(len(readings))]
    lines, rejected = points([entry("d", rows(series, times, said))], measurement="m", site="")
    assert rejected == []
    # The codec takes nanoseconds.
    payload = b"\n".join(lines.payload(np.array([at])) + b"000" for at in range(len(lines.lines)))
    back = line.decode(payload, 0).rows
    expected = [
        f"m.{'text' if isinstance(value, str) else 'value'};device=d;name={name}"
        for name, value in readings
    ]
    assert back.column(0).to_pylist() == expected
    assert [
        value if value is not None else text
        for value, text in zip(back.column(2).to_pylist(), back.column(3).to_pylist(), strict=True)
    ] == said
    assert back.column(1).cast("int64").to_pylist() == times
