"""A version's view of the gateway's readings: batches of all devices in, scores out.

The pivot is that of inference (``gateway.inference.consumer.Model``); here its scorer is a process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from gateway.consumer import Derived
from gateway.feed import Entry
from gateway.inference.consumer import Model
from gateway.models.config import Use
from headrace.codecs import BATCH_SCHEMA
from headrace.derived import relative_name, score_name
from headrace.metrics import Metrics
from headrace.models.run import Run
from headrace.models.runtime import Matrix, Scores


@dataclass(frozen=True, slots=True)
class RunScorer:
    """A run behind the scorer port of inference."""

    run: Run

    def score(self, rows: Matrix) -> Scores:
        scores = self.run.score(np.ascontiguousarray(rows, np.float64).tobytes())
        return np.frombuffer(scores, np.float64) if scores else np.empty(0)


class GatewayLane:
    """One version over all devices that its model is for."""

    def __init__(self, run: Run, use: Use, metrics: Metrics) -> None:
        manifest = run.manifest
        self.run = run
        self._model = Model(
            key=f"{manifest.name}@{manifest.version}/",
            name=manifest.name,
            device=use.device,
            features=[use.prefix + name for name in manifest.feature_names],
            align_us=round(manifest.align_s * 1_000_000),
            scorer=RunScorer(run),
            metrics=metrics,
        )

    def step(self, seen: Sequence[Entry]) -> list[Derived]:
        derived, _ = self._model.step(seen)
        name, threshold = self.run.manifest.name, self.run.threshold
        for each in derived:
            scores = each.rows.column(2).to_numpy(zero_copy_only=False)
            alerts = int((scores > threshold).sum())
            self.run.evidence.add_device(each.device, rows=len(scores), alerts=alerts)
        return [_with_relative(each, name, threshold) for each in derived]

    def committed(self) -> None:
        self._model.committed()


def _with_relative(derived: Derived, name: str, threshold: float) -> Derived:
    """Scores twice: as they are, and over their threshold, which is comparable between versions."""
    rows = derived.rows
    count = rows.num_rows
    scores = rows.column(2).to_numpy(zero_copy_only=False)
    codes = np.repeat(np.array([0, 1], np.int32), count)
    names = pa.DictionaryArray.from_arrays(
        pa.array(codes), pa.array([score_name(name), relative_name(name)])
    )
    values = np.concatenate([scores, scores / threshold])
    times = pa.concat_arrays([rows.column(1), rows.column(1)])
    columns = [names, times, pa.array(values), pa.nulls(2 * count, pa.utf8())]
    return Derived(derived.device, pa.RecordBatch.from_arrays(columns, schema=BATCH_SCHEMA))
