"""Columns to InfluxDB line protocol, with Arrow kernels and no loop over readings.

``<measurement>,device=…,name=…,site=… value=1.5 1750000000000000`` (microseconds); a text goes into
the string field ``text``. Tags are escaped once per dictionary entry, not once per reading. What line
protocol cannot say is rejected before it is sent: numbers that are not finite, and tag values with a
line break, or a backslash in front of a separator (the protocol has no escape for the backslash).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gateway.consumer import Rejected
from gateway.feed import Entry
from gateway.sinks.search import Items
from headrace.limits import INFLUXDB_MAX_BYTES, INFLUXDB_MAX_LINES

# Offsets of 64 bits: a step may hold more than 2 GiB of texts.
_TEXT: Final = pa.large_utf8()

_SEPARATORS: Final = re.compile(r"([,= ])")
_UNSAYABLE: Final = re.compile(r"[\r\n]|\\[,= \\]|\\$")


@dataclass(frozen=True, slots=True)
class Points:
    """Lines of several batches; line i is row ``row[i]`` of batch ``entry[i]``."""

    lines: pa.Array
    entry: NDArray[np.int64]
    row: NDArray[np.int64]

    def payload(self, items: Items) -> bytes:
        """Some lines as one body."""
        part = self.lines.take(pa.array(items))
        joined = pc.binary_join(pa.LargeListArray.from_arrays(pa.array([0, len(part)], pa.int64()), part), pa.scalar("\n", _TEXT))  # fmt: skip
        return bytes(joined[0].as_buffer())

    def requests(self) -> list[Items]:
        """Lines that each fit into one request."""
        sizes = pc.binary_length(self.lines).to_numpy(zero_copy_only=False)
        ends = np.cumsum(sizes + 1)
        ranges, first = [], 0
        while first < len(ends):
            budget = (ends[first - 1] if first else 0) + INFLUXDB_MAX_BYTES
            fitting = int(np.searchsorted(ends, budget, side="right"))
            end = min(max(fitting, first + 1), first + INFLUXDB_MAX_LINES, len(ends))
            ranges.append(np.arange(first, end))
            first = end
        return ranges


def points(
    entries: Sequence[Entry], *, measurement: str, site: str
) -> tuple[Points, list[Rejected]]:
    """All readings as lines, and those that line protocol cannot say."""
    parts: list[pa.Array] = []
    entry_numbers: list[NDArray[np.int64]] = []
    rows: list[NDArray[np.int64]] = []
    rejected: list[Rejected] = []
    for number, entry in enumerate(entries):
        wanted, refused = _sayable(entry)
        rejected += refused
        row = np.flatnonzero(wanted)
        if row.size:
            kept = entry.rows if row.size == len(wanted) else entry.rows.take(pa.array(row))
            parts.append(_lines(kept, entry.device, measurement, site))
            entry_numbers.append(np.full(row.size, number, np.int64))
            rows.append(row)
    lines = pa.concat_arrays(parts) if parts else pa.array([], _TEXT)
    empty = np.empty(0, np.int64)
    return Points(
        lines, np.concatenate([empty, *entry_numbers]), np.concatenate([empty, *rows])
    ), rejected


def _sayable(entry: Entry) -> tuple[NDArray[np.bool_], list[Rejected]]:
    """Which rows can be said, and the rejections of the others."""
    value, name = entry.rows.column(2), entry.rows.column(0)
    # Null (a text reading) is not a number either, but is fine.
    infinite = pc.invert(pc.is_finite(value)).fill_null(False).to_numpy(zero_copy_only=False)
    unsayable = [bool(_UNSAYABLE.search(text)) for text in name.dictionary.to_pylist()]
    bad_name = np.array(unsayable, np.bool_)[name.indices.to_numpy(zero_copy_only=False)]
    rejected = [
        Rejected(entry, reason, detail, entry.rows.filter(pa.array(mask)))
        for reason, detail, mask in (
            ("not_finite", "InfluxDB has no infinity and no NaN", infinite & ~bad_name),
            ("bad_name", "a tag cannot hold a line break or this backslash", bad_name),
        )
        if mask.any()
    ]
    return ~(infinite | bad_name), rejected


def _lines(rows: pa.RecordBatch, device: str, measurement: str, site: str) -> pa.Array:
    name, time, value, text = rows.columns
    head = f"{measurement},device={escape_tag(device)},name="
    tail = f",site={escape_tag(site)} " if site else " "
    prefixes = [head + escape_tag(series) + tail for series in name.dictionary.to_pylist()]
    prefix = pa.array(prefixes, _TEXT).take(name.indices)
    number = _join("value=", value.cast(_TEXT))
    field = number if value.null_count == 0 else pc.coalesce(number, _string_field(text))
    return _join(prefix, field, " ", time.cast(pa.int64()).cast(_TEXT))


def _string_field(text: pa.Array) -> pa.Array:
    escaped = pc.replace_substring_regex(text.cast(_TEXT), r'(["\\])', r"\\\1")
    return _join('text="', escaped, '"')


def _join(*parts: pa.Array | str) -> pa.Array:
    """Columns and words side by side, row by row; null where a column is null."""
    words = [pa.scalar(part, _TEXT) if isinstance(part, str) else part for part in parts]
    return pc.binary_join_element_wise(*words, pa.scalar("", _TEXT))


def escape_tag(text: str) -> str:
    """A tag value as line protocol wants it."""
    return _SEPARATORS.sub(r"\\\1", text)
