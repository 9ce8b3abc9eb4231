"""What a feature table says of its columns: which series, over which time, in which unit.

The unit is that of the readings, as the table of series has it; where devices of the table differ in it, each is said.
It is known when readings have come, and may change, so it is looked up whenever something was computed. That is one
commit of metadata, and none where the table says it already.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import pyarrow.compute as pc
from pyiceberg.catalog import Catalog
from pyiceberg.expressions import In
from pyiceberg.schema import Schema
from pyiceberg.table import Table

from cloud_sync.compute.features import Wanted, device_pattern
from cloud_sync.compute.rollups import MINUTE_US
from headrace.catalog.words import Column, Words, words_of
from headrace.errors import LakeError
from headrace.lake import series
from headrace.lake.catalogue import catalogue_errors


def describe(catalogue: Catalog, table: Table, wanted: Wanted) -> None:
    """Bring the comments of a feature table up to date; left to the next time where something is in the way."""
    with suppress(LakeError):
        comments = _comments(wanted, _units(catalogue, wanted))
        known = {field.name: field.doc for field in table.schema().fields}
        late = {name: text for name, text in comments.items() if known.get(name, text) != text}
        if late:
            with catalogue_errors("describe columns"), table.update_schema() as change:
                for name, text in late.items():
                    change.update_column(name, doc=text)


def commented(schema: Schema, wanted: Wanted) -> Schema:
    """The columns of a new table with their comments, as far as they are known without readings."""
    comments = _comments(wanted, {})
    fields = [field.model_copy(update={"doc": comments[field.name]}) for field in schema.fields]
    return Schema(*fields)


def words(wanted: Wanted, units: Mapping[str, str]) -> Words:
    """The table and its columns in words; ``units`` by the name of the series."""
    step = _step(wanted)
    rollup = words_of("readings_1m").columns
    columns = {
        "site": rollup["site"], "device": rollup["device"],
        "time": Column(f"When the {step} begins, UTC"),
    }  # fmt: skip
    for column, name in wanted.series.items():
        columns |= _of_series(column, name, units.get(name, ""), wanted)
    names = ", ".join(wanted.series)
    return Words(f"Features for training: {names}; a row a device and {step} with all of them", columns)  # fmt: skip


def _of_series(column: str, name: str, unit: str, wanted: Wanted) -> Iterator[tuple[str, Column]]:
    step = _step(wanted)
    yield column, Column(f"Mean of {name} in the {step}", unit)
    for window in wanted.windows:
        behind = f"of {name} in the {window} {step}s that end with this one"
        for what, word in (("mean", "Mean"), ("min", "The least"), ("max", "The greatest")):
            yield f"{column}_{what}_{window}", Column(f"{word} {behind}", unit)
    for lag in wanted.lags:
        text = f"{column} {lag} {step}s before; null where there is none"
        yield f"{column}_lag_{lag}", Column(text, unit)


def _comments(wanted: Wanted, units: Mapping[str, str]) -> dict[str, str]:
    return {name: column.comment for name, column in words(wanted, units).columns.items()}


def _step(wanted: Wanted) -> str:
    return "minute" if wanted.step_us == MINUTE_US else "hour"


def _units(catalogue: Catalog, wanted: Wanted) -> dict[str, str]:
    """The units of the series, by their names, over the devices of the table."""
    kept = series.load(catalogue)
    if kept is None:
        return {}
    is_wanted: Any = In  # whose types know nothing of names
    with catalogue_errors("read the table of series"):
        rows = kept.scan(
            is_wanted("name", set(wanted.series.values())),
            selected_fields=("device", "name", "unit"),
        ).to_arrow()
    if wanted.devices:
        rows = rows.filter(pc.match_substring_regex(rows["device"], device_pattern(wanted.devices)))
    found: dict[str, set[str]] = defaultdict(set)
    for row in rows.select(["name", "unit"]).group_by(["name", "unit"]).aggregate([]).to_pylist():
        if row["unit"]:
            found[row["name"]].add(row["unit"])
    return {name: " or ".join(sorted(units)) for name, units in found.items()}
