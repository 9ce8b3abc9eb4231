"""Plays the query APIs of InfluxDB 2 (Flux, annotated CSV) and 3 (SQL, JSON): answers as documented.

Neither can be installed here. Flux and SQL are not run: the range of time, the table and the limit are read
from the statement, which must be the one that is expected, and the rows of it are answered.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime

from tests.servers.http import Reply, Request

_FLUX = re.compile(r'^from\(bucket: "iot"\) \|> range\(start: (\S+), stop: (\S+)\)$')
_SQL = re.compile(
    r"^SELECT \* FROM \"(\w+)\" WHERE time > TIMESTAMP '(\S+)' AND time < TIMESTAMP '(\S+)' "
    r"ORDER BY time LIMIT (\d+)$"
)


@dataclass
class InfluxDB2:
    """``points``: (ISO time, measurement, field, type of the value, value, host)."""

    token: str = "t0ken"
    points: list[tuple[str, str, str, str, str, str]] = field(default_factory=list)
    ranges: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, request: Request) -> Reply:
        if request.headers.get("Authorization") != f"Token {self.token}":
            return Reply(401, b'{"code": "unauthorized", "message": "unauthorized access"}')
        asked = json.loads(request.body)
        found = _FLUX.match(asked["query"])
        if not request.path.startswith("/api/v2/query?org=site") or found is None:
            return Reply(400, b'{"code": "invalid", "message": "compilation failed"}')
        self.ranges.append((found[1], found[2]))
        chosen = [point for point in self.points if found[1] <= point[0] < found[2]]
        kinds = sorted({point[3] for point in chosen})
        return Reply(200, "\r\n".join(self._block(kind, chosen) for kind in kinds).encode())

    def _block(self, kind: str, points: list[tuple[str, str, str, str, str, str]]) -> str:
        lines = [
            f"#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,{kind},string,string,string",
            "#group,false,false,true,true,false,false,true,true,true",
            "#default,_result,,,,,,,,",
            ",result,table,_start,_stop,_time,_value,_field,_measurement,device",
        ]
        for time, measurement, name, own, value, host in points:
            if own == kind:
                lines.append(
                    f",,0,2024-01-01T00:00:00Z,2025-01-01T00:00:00Z,{time},{value},{name},{measurement},{host}"
                )
        return "".join(f"{line}\r\n" for line in lines)


@dataclass
class InfluxDB3Query:
    """``rows`` of the table ``env``: time with nanoseconds and without a zone, tag ``device``, two fields."""

    token: str = "t0ken"
    rows: list[dict[str, object]] = field(default_factory=list)
    limits: list[int] = field(default_factory=list)

    def __call__(self, request: Request) -> Reply:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return Reply(401, b'{"error": "the request was not authenticated"}')
        asked = json.loads(request.body)
        if request.path != "/api/v3/query_sql" or asked["db"] != "iot" or asked["format"] != "json":
            return Reply(400, b'{"error": "bad request"}')
        if "information_schema.columns" in asked["q"]:
            return Reply(200, json.dumps(_COLUMNS).encode())
        found = _SQL.match(asked["q"])
        if found is None or found[1] != "env":
            return Reply(400, b'{"error": "Error during planning"}')
        self.limits.append(int(found[4]))
        rows = [row for row in self.rows if _between(str(row["time"]), found[2], found[3])]
        rows.sort(key=lambda row: str(row["time"]))
        return Reply(200, json.dumps(rows[: int(found[4])]).encode())


_COLUMNS = [
    {"table_name": "env", "column_name": name, "data_type": kind}
    for name, kind in (
        ("device", "Dictionary(Int32, Utf8)"), ("temp", "Float64"), ("state", "Utf8"),
        ("time", "Timestamp(Nanosecond, None)"),
    )
]  # fmt: skip


def _between(time: str, after: str, end: str) -> bool:
    return _key(after) < _key(time) < _key(end)


def _key(text: str) -> tuple[datetime, str]:
    seconds, _, fraction = text.partition(".")
    return datetime.fromisoformat(seconds), fraction.ljust(9, "0")
