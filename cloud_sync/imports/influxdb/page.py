"""Rows of a measurement as readings, named as the gateway names line protocol.

A field becomes the series ``measurement.field``, tags follow as ``;key=value`` in order of their keys, and
the tag that says the device is the device. Where ``name_tag`` is set (what Headrace's own sink writes has
the tag ``name``), that tag is the name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cloud_sync.imports import mapping
from cloud_sync.imports.influxdb.config import InfluxSettings
from cloud_sync.imports.mapping import constant, labels
from cloud_sync.imports.port import ROWS


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of one measurement: times as ``timestamp(us, UTC)``, and its columns by name."""

    measurement: str
    times: pa.Array
    columns: Mapping[str, pa.Array]
    tags: frozenset[str]

    @property
    def fields(self) -> list[str]:
        return [name for name in self.columns if name not in self.tags]


def column(values: Sequence[Any]) -> pa.Array:
    """Cells as they come in JSON; of one type, or texts where shards do not agree."""
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([None if value is None else str(value) for value in values], pa.utf8())


def to_rows(page: Page, settings: InfluxSettings) -> pa.Table:
    """The readings of a page; cells that are not there are none."""
    device = _device(page, settings)
    parts = [_of_field(page, field, device, settings) for field in page.fields]
    rows = pa.concat_tables(parts) if parts else ROWS.empty_table()
    said = pc.or_(pc.is_valid(rows.column("value")), pc.is_valid(rows.column("text")))
    return rows.filter(said)


def _of_field(page: Page, field: str, device: Any, settings: InfluxSettings) -> pa.Table:
    value, text = typed(page.columns[field])
    unit = constant(None, len(page.times))
    columns = [device, _names(page, field, settings), page.times, value, text, unit]
    return pa.Table.from_arrays(columns, schema=ROWS)


def typed(cells: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Values and texts; a string field stays text even where it looks like a number."""
    if pa.types.is_string(cells.type):
        return pa.nulls(len(cells), pa.float64()), cells
    return mapping.split(cells, mapping.Mapping())


def _device(page: Page, settings: InfluxSettings) -> Any:
    if settings.device_tag not in page.columns:
        return constant(settings.device or None, len(page.times))
    found = page.columns[settings.device_tag].cast(pa.utf8())
    return labels(pc.fill_null(found, settings.device) if settings.device else found)


def _names(page: Page, field: str, settings: InfluxSettings) -> Any:
    if settings.name_tag and settings.name_tag in page.columns:
        return labels(page.columns[settings.name_tag].cast(pa.utf8()))
    base = f"{page.measurement}.{field}"
    others = sorted(page.tags & page.columns.keys() - {settings.device_tag})
    if not others:
        return constant(base, len(page.times))
    parts: list[Any] = [pa.repeat(pa.scalar(base), len(page.times))]
    for tag in others:
        cells = page.columns[tag].cast(pa.utf8())
        has = pc.and_(pc.is_valid(cells), pc.not_equal(cells, ""))
        said = pc.binary_join_element_wise(pa.scalar(f";{tag}="), pc.fill_null(cells, ""), "")
        parts.append(pc.if_else(pc.fill_null(has, False), said, ""))
    return labels(pc.binary_join_element_wise(*parts, ""))
