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

from gateway.consumer import Rejected
from gateway.feed import Entry
from gateway.sinks.columns import Columns, gather
from gateway.sinks.search import Items
from headrace.limits.sinks import INFLUXDB_MAX_BYTES, INFLUXDB_MAX_LINES

# Offsets of 64 bits: a step may hold more than 2 GiB of texts.
_TEXT: Final = pa.large_utf8()

_SEPARATORS: Final = re.compile(r"([,= ])")
_UNSAYABLE: Final = re.compile(r"[\r\n]|\\[,= \\]|\\$")


@dataclass(frozen=True, slots=True)
class Points:
    """One line a reading, in the order of the columns."""

    columns: Columns
    lines: pa.Array

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
    columns, rejected = _sayable(gather(entries))
    return Points(columns, _lines(columns, measurement, site)), rejected


def _sayable(columns: Columns) -> tuple[Columns, list[Rejected]]:
    """What can be said, and the rejections of the rest."""
    # Null (a text reading) is not a number either, but is fine.
    finite = pc.is_finite(columns.value).fill_null(True).to_numpy(zero_copy_only=False)
    sayable = [not _UNSAYABLE.search(name) for name, _ in columns.labels]
    named = np.array(sayable, np.bool_)[columns.series]
    rejected = [
        *columns.rejections(~finite & named, "not_finite", "InfluxDB has no infinity and no NaN"),
        *columns.rejections(~named, "bad_name", "a tag cannot hold a line break or this backslash"),
    ]
    return columns.take(finite & named), rejected


def _lines(columns: Columns, measurement: str, site: str) -> pa.Array:
    heads = [f"{measurement},device={escape_tag(entry.device)},name=" for entry in columns.entries]
    tail = f",site={escape_tag(site)} " if site else " "
    names = [escape_tag(name) + tail for name, _ in columns.labels]
    number = _join("value=", columns.value.cast(_TEXT))
    if columns.value.null_count:
        number = pc.coalesce(number, _string_field(columns.text))
    return _join(
        pa.array(heads, _TEXT).take(pa.array(columns.batch)),
        pa.array(names, _TEXT).take(pa.array(columns.series)),
        number, " ", pa.array(columns.time).cast(_TEXT),
    )  # fmt: skip


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
