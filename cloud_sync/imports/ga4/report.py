"""A report's answer as readings: a metric is a series, dimensions other than the time are its tags.

``activeUsers;country=Norway;deviceCategory=mobile``, as tags of line protocol are kept. The time is the
beginning of the minute, hour or day that the finest time dimension says, in the property's zone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cloud_sync.imports import times
from cloud_sync.imports.ga4.config import TIMES, Ga4Settings
from cloud_sync.imports.mapping import constant, labels
from cloud_sync.imports.port import ROWS


def to_rows(answer: Mapping[str, Any], settings: Ga4Settings) -> pa.Table:
    """The readings of one answer."""
    found = answer.get("rows", [])
    if not found:
        return ROWS.empty_table()
    dimensions = _columns(answer.get("dimensionHeaders", []), found, "dimensionValues")
    metrics = _columns(answer.get("metricHeaders", []), found, "metricValues")
    time = _time(dimensions, settings)
    tags = _tags(
        {name: cells for name, cells in dimensions.items() if name not in TIMES}, len(found)
    )
    parts = [
        pa.Table.from_arrays(
            [
                constant(settings.device, len(found)),
                labels(pc.binary_join_element_wise(pa.scalar(name), tags, "")),
                time, _numbers(cells), pa.nulls(len(found), pa.utf8()), constant(None, len(found)),
            ],
            schema=ROWS,
        )
        for name, cells in metrics.items()
    ]  # fmt: skip
    return pa.concat_tables(parts)


def _columns(
    headers: list[dict[str, str]], rows: list[dict[str, Any]], kind: str
) -> dict[str, pa.Array]:
    return {
        header["name"]: pa.array([row[kind][at]["value"] for row in rows], pa.utf8())
        for at, header in enumerate(headers)
    }


def _time(dimensions: Mapping[str, pa.Array], settings: Ga4Settings) -> pa.Array:
    """Digits without signs between them: cut apart first, so that they are read as one wants."""
    name = next(each for each in TIMES if each in dimensions)
    text = pc.utf8_rpad(dimensions[name], 12, "0")
    pattern = r"^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})$"
    iso = pc.replace_substring_regex(text, pattern, r"\1-\2-\3 \4:\5")
    return times.parse(iso, "auto", settings.time_zone)


def _tags(dimensions: Mapping[str, pa.Array], count: int) -> pa.Array:
    parts: list[Any] = [pa.repeat(pa.scalar(""), count)]
    for name in sorted(dimensions):
        parts.append(pc.binary_join_element_wise(pa.scalar(f";{name}="), dimensions[name], ""))
    return pc.binary_join_element_wise(*parts, "")


def _numbers(cells: pa.Array) -> pa.Array:
    return pc.if_else(pc.equal(cells, ""), pa.scalar(None, pa.utf8()), cells).cast(pa.float64())
