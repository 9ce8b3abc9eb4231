"""A version's view of a device's readings: runs of series in, one score a time out.

Readings within the same ``align_s`` make a row, scored once, when all features are there: as at the
gateway, without numpy. This is the one place of the agent that touches single readings, those of
the model's features alone, at the rate of one device: about 0.5 µs each.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from edge_agent import readings
from headrace.derived import device_relative_name, device_score_name
from headrace.limits.consumers import INFERENCE_MAX_PENDING_TIMES
from headrace.models.run import Run


@dataclass(slots=True)
class Row:
    """What one time has of its features, and the last reading's time."""

    time: int = 0
    values: dict[int, float] = field(default_factory=dict)

    def copy(self) -> Row:
        return Row(self.time, dict(self.values))


class DeviceLane:
    """One version at this device."""

    def __init__(self, run: Run) -> None:
        manifest = run.manifest
        self.run = run
        self._columns = {name: column for column, name in enumerate(manifest.feature_names)}
        self._align_us = round(manifest.align_s * 1_000_000)
        self._rows: dict[int, Row] = {}
        self._done = -1
        self._proposed = (self._rows, self._done)

    def step(self, seen: Sequence[readings.Run]) -> list[readings.Run]:
        rows = {bucket: row.copy() for bucket, row in self._rows.items()}
        for run in seen:
            self._add(rows, run)
        ready = sorted(b for b, row in rows.items() if len(row.values) == len(self._columns))
        whole = [rows.pop(bucket) for bucket in ready]
        newest = sorted(rows)[-INFERENCE_MAX_PENDING_TIMES:]
        self._proposed = ({b: rows[b] for b in newest}, max(ready, default=self._done))
        return self._scored(whole)

    def committed(self) -> None:
        self._rows, self._done = self._proposed

    def _add(self, rows: dict[int, Row], run: readings.Run) -> None:
        column = self._columns.get(run.name)
        if column is None or isinstance(run.values, list):
            return
        for time, value in zip(run.times, run.values, strict=True):
            bucket = time // self._align_us
            if bucket != self._done and math.isfinite(value):
                row = rows.setdefault(bucket, Row())
                row.time = max(row.time, time)
                row.values[column] = value

    def _scored(self, whole: Sequence[Row]) -> list[readings.Run]:
        if not whole:
            return []
        width = range(len(self._columns))
        features = array("d", [row.values[column] for row in whole for column in width])
        scores = self.run.score(features.tobytes())
        relative = array("d", [score / self.run.threshold for score in scores])
        times, name = array("q", [row.time for row in whole]), self.run.manifest.name
        return [
            readings.Run(device_score_name(name), times, scores),
            readings.Run(device_relative_name(name), times, relative),
        ]
