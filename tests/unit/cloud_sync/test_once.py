"""Which rows of a landing are repetitions."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from cloud_sync.lake.content import places, seen
from headrace.lake.readings import READINGS_SCHEMA
from headrace.ranges import RangeSet

DEVICES, STREAMS = ("a", "b", "c"), ("1" * 16, "2" * 16)

rows = st.lists(
    st.tuples(st.sampled_from(DEVICES), st.sampled_from(STREAMS), st.integers(1, 20)), max_size=60
)
known = st.dictionaries(
    st.tuples(st.sampled_from((*DEVICES, "d")), st.sampled_from(STREAMS)),
    st.sets(st.integers(1, 20), min_size=1),
    max_size=6,
)


def table(found):
    blank = {
        "site": "s", "name": "n", "time": 0, "value": 1.0, "text": None, "unit": None, "received": 0,
        "clock": None,
    }  # fmt: skip
    columns = [
        {**blank, "device": device, "stream": stream, "seq": seq} for device, stream, seq in found
    ]
    return pa.Table.from_pylist(columns, schema=READINGS_SCHEMA)


@given(rows, known)
def test_a_row_is_a_repetition_when_its_name_is_known(found, known):
    """Against the definition, whatever the order of rows and the number of streams."""
    repeated = {key: RangeSet((seq, seq) for seq in seqs).pairs() for key, seqs in known.items()}
    expected = [seq in known.get((device, stream), ()) for device, stream, seq in found]
    assert places(table(found), repeated).tolist() == expected


@given(rows)
def test_a_tables_names_are_all_its_readings(found):
    """As ranges, each once, whatever the order of rows."""
    names = {
        (each.device, each.stream, seq)
        for each in seen(table(found))
        for first, last in each.ranges
        for seq in range(first, last + 1)
    }
    assert names == set(found)


def test_a_table_in_several_chunks_is_one_table():
    """Each chunk may have a dictionary of its own."""
    whole = pa.concat_tables([table([("a", STREAMS[0], 1)]), table([("b", STREAMS[0], 1)])])
    assert places(whole, {("b", STREAMS[0]): [(1, 9)]}).tolist() == [False, True]
    assert places(whole.slice(0, 0), {("b", STREAMS[0]): [(1, 9)]}).dtype == np.bool_
