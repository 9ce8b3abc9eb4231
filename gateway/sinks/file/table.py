"""The columns of the files: those of the lake's table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from gateway.sinks.columns import Columns, Ints
from headrace.codecs.columns import TIME_TYPE

_LABEL: Final = pa.dictionary(pa.int32(), pa.utf8())

SCHEMA: Final = pa.schema(
    [
        pa.field("site", _LABEL, nullable=False),
        pa.field("device", _LABEL, nullable=False),
        pa.field("name", _LABEL, nullable=False),
        pa.field("time", TIME_TYPE, nullable=False),
        pa.field("value", pa.float64()),
        pa.field("text", pa.utf8()),
        pa.field("unit", _LABEL),
        pa.field("stream", _LABEL, nullable=False),
        pa.field("seq", pa.int64(), nullable=False),
        pa.field("received", TIME_TYPE, nullable=False),
    ]
)


def table(columns: Columns, site: str) -> pa.Table:
    """The readings with ``SCHEMA``."""
    entries, batch = columns.entries, columns.batch
    received = np.array([entry.received_at for entry in entries], np.int64)
    arrays = [
        _labels([site], np.zeros(len(columns), np.int64)),
        _labels([entry.device for entry in entries], batch),
        _labels([name for name, _ in columns.labels], columns.series),
        pa.array(columns.time).view(TIME_TYPE),
        columns.value,
        columns.text,
        _labels([unit or None for _, unit in columns.labels], columns.series),
        _labels([entry.stream for entry in entries], batch),
        pa.array(columns.seq),
        pa.array(received[batch]).view(TIME_TYPE),
    ]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def _labels(labels: Sequence[str | None], codes: Ints) -> pa.DictionaryArray:
    """``labels[code]`` for each code, each distinct label once in the dictionary."""
    column = pa.array(labels, pa.utf8()).dictionary_encode()
    return pa.DictionaryArray.from_arrays(column.indices.take(pa.array(codes)), column.dictionary)
