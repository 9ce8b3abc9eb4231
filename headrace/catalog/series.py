"""The table of series, as it is kept: what there is, since when and until when."""

from __future__ import annotations

from datetime import datetime
from fnmatch import fnmatchcase

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.catalog import Catalog

from headrace.lake import series
from headrace.lake.catalogue import catalogue_errors
from headrace.units import UNITS


class Series(msgspec.Struct, frozen=True):
    """One row of the table, with the unit in words."""

    site: str
    device: str
    name: str
    unit: str
    unit_in_words: str
    type: str
    first_time: datetime | None
    last_time: datetime | None
    readings: int
    tags: dict[str, str]


class Overview(msgspec.Struct, frozen=True):
    """All series together."""

    series: int
    devices: int
    sites: int
    newest: datetime | None


def load(catalogue: Catalog | None) -> pa.Table | None:
    """The rows; None where the table was not made yet."""
    if catalogue is None:
        return None
    table = series.load(catalogue)
    if table is None:
        return None
    with catalogue_errors("read the table of series"):
        return table.scan().to_arrow()


def overview(rows: pa.Table) -> Overview:
    """How many there are, and when the newest reading was taken."""
    devices = rows.select(["site", "device"]).group_by(["site", "device"]).aggregate([])
    return Overview(
        rows.num_rows, devices.num_rows, len(rows.column("site").unique()),
        pc.max(rows.column("last_time")).as_py(),
    )  # fmt: skip


def chosen(rows: pa.Table, *, device: str = "*", name: str = "*") -> list[Series]:
    """Those whose device and name fit shell patterns, in order of site, device and name."""
    found = [
        _of(row)
        for row in rows.to_pylist(maps_as_pydicts="strict")
        if fnmatchcase(row["device"], device) and fnmatchcase(row["name"], name)
    ]
    return sorted(found, key=lambda each: (each.site, each.device, each.name))


def _of(row: dict[str, object]) -> Series:
    unit = str(row["unit"] or "")
    words = UNITS[unit].description if unit in UNITS else ""
    plain = {
        **row, "unit": unit, "unit_in_words": words, "type": row.get("type") or "",
        "tags": row.get("tags") or {},
    }  # fmt: skip
    return msgspec.convert({name: plain.get(name) for name in Series.__struct_fields__}, Series)
