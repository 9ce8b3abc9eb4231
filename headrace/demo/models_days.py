"""Yesterday, as four simulated pumps had it: slow at night, fast by day.

A pump's recording is sorted by its speed and given a time of day: what ran slower than most is
night (from midnight), the middle is morning (from six), what ran faster is day (from noon). So a
range of time in the lake is a way of running, which is all that training on quiet nights needs.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from headrace.demo.models_files import UNITS

HZ: Final = 8
ROWS: Final = 4_000  # of each recording: more than eight minutes

#: Shares of all rows, by speed.
_NIGHT_SHARE: Final = 0.35
_DAY_SHARE: Final = 0.35

_Row = Mapping[str, str]


def yesterday() -> datetime:
    """Its midnight, UTC."""
    now = datetime.now(UTC) - timedelta(days=1)
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def write_days(recordings: Mapping[str, Path], midnight: datetime, night: Path, day: Path) -> None:
    """Give each pump's recording its times of day, in place; ``night`` and ``day`` are of all pumps."""
    rows = {pump: _rows(path) for pump, path in recordings.items()}
    together = [row for each in rows.values() for row in each]
    speeds = sorted(_speed(row) for row in together)
    slow = speeds[int(len(speeds) * _NIGHT_SHARE)]
    fast = speeds[int(len(speeds) * (1 - _DAY_SHARE))]
    for pump, path in recordings.items():
        _write(path, _timed(rows[pump], slow, fast, midnight))
    _write(night, _from(0, [row for row in together if _speed(row) < slow], midnight))
    _write(day, _from(12, [row for row in together if _speed(row) > fast], midnight))


def _timed(rows: Iterable[_Row], slow: float, fast: float, midnight: datetime) -> list[_Row]:
    parts: dict[int, list[_Row]] = {0: [], 6: [], 12: []}
    for row in rows:
        speed = _speed(row)
        parts[0 if speed < slow else 12 if speed > fast else 6].append(row)
    return [row for hour, part in parts.items() for row in _from(hour, part, midnight)]


def _from(hour: int, rows: Iterable[_Row], midnight: datetime) -> list[_Row]:
    start = midnight.timestamp() + hour * 3_600
    return [{**row, "time": f"{start + number / HZ:.6f}"} for number, row in enumerate(rows)]


def _speed(row: _Row) -> float:
    return float(row["speed"])


def _rows(path: Path) -> list[_Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _write(path: Path, rows: Iterable[_Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["time", *UNITS], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
