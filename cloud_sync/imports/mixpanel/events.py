"""Lines of an export as readings.

An event is one reading: named ``event/<its name>``, its text the properties as JSON with sorted keys. A
numeric property that is asked for is one more, ``event/<its name>.<property>``. Times are whole seconds,
or milliseconds where the project gives them; in projects that are older than 2023 they are shifted into
the project's zone, which is taken back.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from cloud_sync.imports import times
from cloud_sync.imports.mapping import labels
from cloud_sync.imports.mixpanel.config import MixpanelSettings
from cloud_sync.imports.port import ROWS

#: Seconds stay below it until the year 5138, milliseconds have been above it since 1973.
_MILLISECONDS = 10**11


def to_rows(lines: Sequence[bytes], settings: MixpanelSettings) -> tuple[pa.Table, Counter[str]]:
    """The readings of some lines, and how many were no events."""
    refused: Counter[str] = Counter()
    cells: list[tuple[str, int, float | None, str | None]] = []
    for line in lines:
        try:
            event = json.loads(line)
            cells += _of_event(event["event"], event["properties"], settings)
        except (ValueError, KeyError, TypeError):
            refused["bad_line"] += 1
    if not cells:
        return ROWS.empty_table(), refused
    names, at, values, texts = (list(column) for column in zip(*cells, strict=True))
    count = len(cells)
    columns = [
        labels(pa.repeat(pa.scalar(settings.device), count)), labels(pa.array(names, pa.utf8())),
        _times(at, settings.time_zone), pa.array(values, pa.float64()), pa.array(texts, pa.utf8()),
        pa.nulls(count, ROWS.field("unit").type),
    ]  # fmt: skip
    return pa.Table.from_arrays(columns, schema=ROWS), refused


def _of_event(
    name: str, properties: dict[str, Any], settings: MixpanelSettings
) -> list[tuple[str, int, float | None, str | None]]:
    time = int(properties["time"])
    micros = time * (1_000 if time > _MILLISECONDS else 1_000_000)
    text = json.dumps(properties, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    found: list[tuple[str, int, float | None, str | None]] = [(f"event/{name}", micros, None, text)]
    for key in settings.values:
        value = properties.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            found.append((f"event/{name}.{key}", micros, float(value), None))
    return found


def _times(micros: list[int], zone: str) -> pa.Array:
    """In UTC they are what they say; elsewhere they are local times that look like seconds of UTC."""
    naive = pa.array(micros, pa.int64()).cast(pa.timestamp("us"))
    return times.parse(naive, "auto", zone)
