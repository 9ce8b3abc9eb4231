"""Whether a replay equals the readings of the lake: counts and checksums per site, device and day.

A checksum is the sum of a hash of each whole row, so it does not depend on the order or on the files.
Both sides are read by the same engine; only the groups are in memory. The old side is everything that
``headrace query`` sees with the same times of arrival and devices, without what import jobs brought: that
came through no journal of a gateway.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from cloud_sync.raw.table import Asked
from headrace.imported import STREAM_PREFIX
from headrace.lake.readings import READINGS_SCHEMA
from headrace.query.engine import Engine

Key = tuple[str, str, str]
#: Rows and checksum.
Sum = tuple[int, str]

_COLUMNS = ", ".join(f'"{name}"' for name in READINGS_SCHEMA.names)


@dataclass(frozen=True, slots=True)
class Difference:
    """A device's day that is not the same."""

    site: str
    device: str
    day: str
    rows: int
    replayed: int

    def __str__(self) -> str:
        what = (
            "the same number, other content"
            if self.rows == self.replayed
            else f"replayed {self.replayed}"
        )
        return f"{self.site} {self.device} {self.day}: {self.rows} readings, {what}"


def sums(engine: Engine, asked: Asked, *, sites: Sequence[str]) -> dict[Key, Sum]:
    """Counts and checksums of what an engine sees."""
    where = [
        f"received >= make_timestamptz({asked.first_us})",
        f"received < make_timestamptz({asked.end_us})",
        f"NOT starts_with(stream, '{STREAM_PREFIX}')",
        f"site IN ({_list(sites)})",
    ]
    if asked.devices:
        where.append(f"device IN ({_list(asked.devices)})")
    sql = (
        "SELECT site, device, CAST(CAST(time AS DATE) AS VARCHAR) AS day, count(*) AS rows, "  # noqa: S608 - ours
        f"CAST(sum(hash({_COLUMNS})) AS VARCHAR) AS checksum "
        f"FROM readings WHERE {' AND '.join(where)} GROUP BY ALL"
    )
    table: pa.Table = engine.query(sql).read_all()
    return {
        (row["site"], row["device"], row["day"]): (row["rows"], row["checksum"])
        for row in table.to_pylist()
    }


def differences(old: dict[Key, Sum], new: dict[Key, Sum]) -> list[Difference]:
    """What is not the same, in order."""
    nothing = (0, "")
    return [
        Difference(*key, old.get(key, nothing)[0], new.get(key, nothing)[0])
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]


def _list(texts: Sequence[str]) -> str:
    """Texts as SQL; empty for none, which nothing is in."""
    return ", ".join("'" + text.replace("'", "''") + "'" for text in texts) or "NULL"
