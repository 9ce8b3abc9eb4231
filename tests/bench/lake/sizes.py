"""Bytes per reading: through a journal, landed now and then, registered, compacted.

Counted are the data files that the table names, divided by the readings in them. A day that is not over has landings of
a minute, merged once an hour: that is measured on its own, just before the merge, when it is worst.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from cloud_sync.config import CloudSync, Landing, Maintain, for_data
from cloud_sync.maintain.iceberg import live
from cloud_sync.maintain.maintainer import Maintainer
from headrace.clock import ManualClock
from headrace.codecs.columns import BATCH_SCHEMA, TIME_TYPE
from headrace.lake.catalogue import load_readings, open_catalogue
from headrace.lake.opening import open_store
from headrace.metrics import Metrics
from tests.bench.lake.recordings import START_US, Recording
from tests.journals import Journal
from tests.lakes import pipeline

DAY_US, HOUR_S = 86_400_000_000, 3_600


@dataclass(frozen=True)
class SizesResult:
    readings: int
    files: int
    landed: float  # bytes per reading
    compacted: float


def run_sizes(folder: Path, recording: Recording, *, landing_s: int, batch_s: int) -> SizesResult:
    """Land a recording as often as said, then compact its day."""
    config = _config(folder, recording, landing_s)
    _append(config, recording, list(_batches(recording, batch_s)))
    _land(config)
    files, landed = _bytes(config)
    _maintain(config, START_US + 3 * DAY_US)
    return SizesResult(
        recording.readings,
        files,
        landed / recording.readings,
        _bytes(config)[1] / recording.readings,
    )


def run_running_day(folder: Path, recording: Recording, *, batch_s: int) -> SizesResult:
    """A landing a minute and a round of maintenance an hour; ``compacted`` is after the last round."""
    config = _config(folder, recording, 60)
    batches = list(_batches(recording, batch_s))
    hours = range(0, len(batches), HOUR_S // batch_s)
    for first in hours:
        some = batches[first : first + HOUR_S // batch_s]
        _append(config, recording, some)
        _land(config)
        files, landed = _bytes(config)
        _maintain(config, int(recording.times[some[-1][0]]))
    return SizesResult(
        recording.readings,
        files,
        landed / recording.readings,
        _bytes(config)[1] / recording.readings,
    )


def _config(folder: Path, recording: Recording, landing_s: int) -> CloudSync:
    rows = max(1, recording.readings // len(recording.times)) * landing_s
    return replace(for_data(folder), landing=Landing(max_rows=rows), maintain=Maintain())


def _append(
    config: CloudSync, recording: Recording, batches: Sequence[tuple[int, pa.RecordBatch]]
) -> None:
    journal = Journal(config.journal.path)
    stream = f"{batches[0][0]:016x}"
    journal.db.execute("BEGIN")  # one commit: not what is measured here
    for last, batch in batches:
        late = int(np.random.default_rng(last).integers(5_000, 40_000))
        at = int(recording.times[last]) + late
        journal.append(recording.device, batch, stream=stream, received_at=at)
    journal.db.execute("COMMIT")
    journal.close()


def _land(config: CloudSync) -> None:
    path = pipeline(config)
    path.land()
    path.register()


def _maintain(config: CloudSync, now_us: int) -> None:
    Maintainer(config, open_store(config.lake), ManualClock(now_us), Metrics("cloud_sync")).round()


def _batches(recording: Recording, batch_s: int) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Some seconds a batch, in order of time, with the place of its last second."""
    names = pa.array(recording.names, pa.utf8())
    for first in range(0, len(recording.times), batch_s):
        values = recording.values[first : first + batch_s]
        second, series = np.nonzero(~np.isnan(values))
        columns = [
            names.take(pa.array(series)).dictionary_encode(),
            pa.array(recording.times[first + second]).cast(TIME_TYPE),
            pa.array(values[second, series]),
            pa.nulls(len(series), pa.utf8()),
        ]
        last = first + len(values) - 1
        yield last, pa.RecordBatch.from_arrays(columns, schema=BATCH_SCHEMA)


def _bytes(config: CloudSync) -> tuple[int, int]:
    table = load_readings(open_catalogue(config.lake))
    assert table is not None
    files = live(table)
    return len(files), sum(each.file.bytes for each in files)
