"""InfluxDB 2 by Flux: windows of time as annotated CSV, as its documentation describes it.

Flux limits and sorts per series, so pages behind a time cannot be asked for as with SQL. A window is a
chunk; one whose answer would be too large is asked for in halves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from cloud_sync.imports import times
from cloud_sync.imports.influxdb.config import InfluxSettings
from cloud_sync.imports.influxdb.page import Page, to_rows
from cloud_sync.imports.port import ROWS
from cloud_sync.imports.web import AnswerTooLarge, Web
from headrace.errors import UsageError

_DIALECT: Final = {"header": True, "annotations": ["datatype", "group", "default"], "dateTimeFormat": "RFC3339"}  # fmt: skip
_OWN: Final = frozenset({"", "result", "table", "_start", "_stop", "_time", "_value", "_field", "_measurement"})  # fmt: skip
_SECOND_US: Final = 1_000_000


class InfluxV2:
    """One bucket."""

    def __init__(self, web: Web, settings: InfluxSettings) -> None:
        self._web = web
        self._settings = settings

    def windows(self, start_us: int, end_us: int) -> Iterator[tuple[pa.Table, int]]:
        """The readings of one window after the other, each with its end."""
        wide = width = self._settings.window_s * _SECOND_US
        while start_us < end_us:
            stop_us = min(start_us + width, end_us)
            try:
                body = self._ask(start_us, stop_us)
            except AnswerTooLarge:
                if width <= _SECOND_US:
                    raise
                width = max(_SECOND_US, width // 2)
                continue
            yield self._rows(body), stop_us
            start_us, width = stop_us, min(wide, width * 2)

    def _ask(self, start_us: int, stop_us: int) -> bytes:
        flux = f"from(bucket: {_text(self._settings.bucket)}) |> range(start: {_time(start_us)}, stop: {_time(stop_us)})"  # fmt: skip
        if self._settings.measurements:
            tests = " or ".join(f"r._measurement == {_text(each)}" for each in self._settings.measurements)  # fmt: skip
            flux += f" |> filter(fn: (r) => {tests})"
        asked = {"query": flux, "type": "flux", "dialect": _DIALECT}
        url = f"{self._settings.url}/api/v2/query"
        answer = self._web.post(
            url,
            json=asked,
            params={"org": self._settings.org},
            headers={"Accept": "application/csv"},
        )
        return answer.body

    def _rows(self, body: bytes) -> pa.Table:
        parts = [
            to_rows(page, self._settings)
            for block in re.split(rb"\r?\n\r?\n", body.strip(b"\r\n"))
            for page in _pages(block)
        ]
        return pa.concat_tables(parts) if parts else ROWS.empty_table()


def _pages(block: bytes) -> Iterator[Page]:
    """The measurements and fields of one CSV table: its annotations say the type of ``_value``."""
    lines = block.splitlines(keepends=True)
    annotations = [line for line in lines if line.startswith(b"#")]
    rest = b"".join(lines[len(annotations) :])
    if not rest.strip():
        return
    table = csv.read_csv(
        pa.BufferReader(rest if rest.endswith(b"\n") else rest + b"\n"),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=_all_texts(rest), strings_can_be_null=False
        ),
    )
    if "error" in table.column_names:
        raise UsageError(f"InfluxDB: {table.column('error')[0].as_py()}")
    kind = _kind(annotations, table.column_names)
    keys = pa.table({name: table.column(name) for name in ("_measurement", "_field")})
    for key in keys.group_by(["_measurement", "_field"]).aggregate([]).to_pylist():
        same = pc.and_(
            pc.equal(table.column("_measurement"), key["_measurement"]),
            pc.equal(table.column("_field"), key["_field"]),
        )
        yield _page(table.filter(same).combine_chunks(), key["_measurement"], key["_field"], kind)


def _page(table: pa.Table, measurement: str, field: str, kind: str) -> Page:
    tags = [name for name in table.column_names if name not in _OWN]
    columns = {name: table.column(name).combine_chunks() for name in tags}
    columns[field] = _typed(table.column("_value").combine_chunks(), kind)
    found = times.parse(table.column("_time"), "auto", "UTC")
    return Page(measurement, found, columns, frozenset(tags))


def _typed(cells: pa.Array, kind: str) -> pa.Array:
    if kind == "string":
        return cells
    filled = pc.if_else(pc.equal(cells, ""), pa.scalar(None, pa.utf8()), cells)
    types = {"double": pa.float64(), "long": pa.int64(), "unsignedLong": pa.uint64(), "boolean": pa.bool_()}  # fmt: skip
    return filled.cast(types.get(kind, pa.utf8()))


def _kind(annotations: list[bytes], names: list[str]) -> str:
    for line in annotations:
        if line.startswith(b"#datatype"):
            return line.decode().strip("\r\n").split(",")[names.index("_value")]
    return "string"


def _all_texts(rest: bytes) -> dict[str, pa.DataType]:
    header = rest.split(b"\n", 1)[0].decode().strip("\r")
    return dict.fromkeys(header.split(","), pa.utf8())


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("${", "\\${")


def _time(time_us: int) -> str:
    at = datetime.fromtimestamp(time_us // _SECOND_US, UTC).replace(microsecond=time_us % _SECOND_US)  # fmt: skip
    return at.isoformat().replace("+00:00", "Z")
