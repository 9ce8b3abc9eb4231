"""The columns of the files: those of the lake's table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from gateway.sinks.columns import Columns, Ints
from headrace.codecs.columns import TIME_TYPE
from headrace.lake.readings import READINGS_SCHEMA

#: As the lake has them. Without ``clock``: that is of a batch on its way, and files tell by ``received``.
SCHEMA: Final = pa.schema(
    [
        READINGS_SCHEMA.field(name)
        for name in (
            "site", "device", "name", "time", "value", "text", "unit", "stream", "seq", "received",
        )
    ]
)  # fmt: skip


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
