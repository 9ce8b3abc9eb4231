"""InfluxDB 3 by SQL over HTTP, as its documentation describes it; there is no such server to test with here.

A place is a time as the server writes it, to the nanosecond. InfluxDB 3 Core answers for ranges of some days
only, and says so; Enterprise and Cloud answer for all.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from cloud_sync.imports import times
from cloud_sync.imports.influxdb.config import InfluxSettings
from cloud_sync.imports.influxdb.keyset import Keyset, Raw
from cloud_sync.imports.influxdb.page import Page, column
from cloud_sync.imports.web import Web
from headrace.errors import UsageError


class InfluxV3(Keyset):
    """One database."""

    def __init__(self, web: Web, settings: InfluxSettings) -> None:
        self._web = web
        self._settings = settings
        self._columns: dict[str, dict[str, str]] = {}

    def measurements(self) -> list[str]:
        return sorted(self._all_columns())

    def first(self, start_us: int) -> str:
        at = datetime.fromtimestamp((start_us - 1) / 1e6, UTC)
        return at.replace(tzinfo=None).isoformat(timespec="microseconds")

    def ask(self, measurement: str, after: str, end_us: int, limit: int) -> Raw:
        kinds = self._all_columns().get(measurement, {})
        tags = frozenset(name for name, kind in kinds.items() if kind.startswith("Dictionary"))
        end = datetime.fromtimestamp(end_us / 1e6, UTC).replace(tzinfo=None).isoformat()
        rows = self._query(
            f"SELECT * FROM {_quoted(measurement)} WHERE time > TIMESTAMP '{_safe(after)}' "  # noqa: S608 - quoted
            f"AND time < TIMESTAMP '{end}' ORDER BY time LIMIT {limit}"
        )
        said = [row.get("time") for row in rows]
        parsed = times.parse(pa.array(said, pa.utf8()), "auto", "UTC")
        names = [name for name in kinds if name != "time"]
        columns = {name: column([row.get(name) for row in rows]) for name in names}
        return Raw(said, Page(measurement, parsed, columns, tags))

    def _all_columns(self) -> dict[str, dict[str, str]]:
        """Type by column by table; the system's own tables are in other schemas."""
        if not self._columns:
            rows = self._query(
                "SELECT table_name, column_name, data_type FROM information_schema.columns "
                "WHERE table_schema = 'iox'"
            )
            for row in rows:
                of = self._columns.setdefault(row["table_name"], {})
                of[row["column_name"]] = row["data_type"]
        return self._columns

    def _query(self, statement: str) -> list[dict[str, Any]]:
        asked = {"db": self._settings.database, "q": statement, "format": "json"}
        rows = self._web.post(f"{self._settings.url}/api/v3/query_sql", json=asked).json()
        if not isinstance(rows, list):
            raise UsageError(f"InfluxDB: expected rows, got {str(rows)[:200]}")
        return rows


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _safe(text: str) -> str:
    """A time that may stand in a statement: it came from the server."""
    return text.replace("'", "").removesuffix("Z")
