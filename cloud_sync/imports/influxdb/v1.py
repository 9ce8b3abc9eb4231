"""InfluxDB 1.x by InfluxQL; InfluxDB 2 answers the same where a bucket has a DBRP mapping."""

from __future__ import annotations

from typing import Any

from cloud_sync.imports.influxdb.config import InfluxSettings
from cloud_sync.imports.influxdb.keyset import Keyset, Raw, from_nanoseconds
from cloud_sync.imports.influxdb.page import Page, column
from cloud_sync.imports.web import Web
from headrace.errors import UsageError


class InfluxV1(Keyset):
    """One database; a place is a time in nanoseconds."""

    def __init__(self, web: Web, settings: InfluxSettings) -> None:
        self._web = web
        self._settings = settings
        self._tags: dict[str, frozenset[str]] = {}

    def measurements(self) -> list[str]:
        return sorted(row[0] for series in self._query("SHOW MEASUREMENTS") for row in series["values"])  # fmt: skip

    def first(self, start_us: int) -> str:
        return str(start_us * 1_000 - 1)

    def ask(self, measurement: str, after: str, end_us: int, limit: int) -> Raw:
        tags = self._tags_of(measurement)
        found = self._query(
            f"SELECT * FROM {_quoted(measurement)} WHERE time > {int(after)} AND time < {end_us * 1_000} "  # noqa: S608 - quoted
            f"ORDER BY time ASC LIMIT {limit}"
        )
        if not found:
            return Raw([], Page(measurement, from_nanoseconds([]), {}, tags))
        names = found[0]["columns"]
        cells = dict(zip(names, map(list, zip(*found[0]["values"], strict=True)), strict=True))
        times = cells.pop("time")
        columns = {name: column(values) for name, values in cells.items()}
        return Raw(times, Page(measurement, from_nanoseconds(times), columns, tags))

    def _tags_of(self, measurement: str) -> frozenset[str]:
        found = self._tags.get(measurement)
        if found is None:
            keys = self._query(f"SHOW TAG KEYS FROM {_quoted(measurement)}")
            found = frozenset(row[0] for series in keys for row in series["values"])
            self._tags[measurement] = found
        return found

    def _query(self, statement: str) -> list[dict[str, Any]]:
        params = {"db": self._settings.database, "q": statement, "epoch": "ns"}
        body = self._web.get(f"{self._settings.url}/query", params).json()
        result = body["results"][0]
        if "error" in result:
            raise UsageError(f"InfluxDB: {result['error']}: {statement[:120]}")
        series: list[dict[str, Any]] = result.get("series", [])
        return series


def _quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
