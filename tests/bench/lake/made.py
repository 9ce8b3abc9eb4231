"""Landed files without a journal: what the bench compacts and registers in numbers that would take hours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from cloud_sync.lake.table import IcebergReadings
from cloud_sync.landing.parquet import encode_days
from headrace.lake.config import Lake
from headrace.lake.opening import open_store
from headrace.lake.readings import READINGS_SCHEMA
from headrace.landing import data_path, watermark_key
from tests.bench.lake.recordings import START_US

SITE, JOURNAL, SERIES = "bench", "0" * 16, 8
DAY_US = 86_400_000_000


def landing(*, devices: int, steps: int, first_us: int, span_us: int, seed: int) -> pa.Table:
    """Readings as one landing has them: sorted, a batch a device, values of two decimals that drift."""
    rows, series = devices * SERIES * steps, devices * SERIES
    random = np.random.default_rng(seed)
    drift = np.sin(np.arange(series) + first_us / DAY_US * 6)[:, None] * 5
    values = np.round(20 + drift + random.normal(0, 1, (series, steps)).cumsum(axis=1) * 0.1, 2)
    times = first_us + np.arange(steps) * (span_us // steps)
    seqs = np.arange(steps) * SERIES + np.arange(SERIES)[:, None] + 1 + seed * steps * SERIES
    columns = [
        _label([SITE], np.zeros(rows, np.int32)),
        _label(
            [f"pump-{at:05d}" for at in range(devices)],
            np.repeat(np.arange(devices), rows // devices),
        ),
        _label(
            [f"s{at}" for at in range(SERIES)],
            np.tile(np.repeat(np.arange(SERIES), steps), devices),
        ),
        pa.array(np.tile(times, series)).view(pa.timestamp("us", "UTC")),
        pa.array(values.ravel()),
        pa.nulls(rows, pa.utf8()),
        _label(["Cel"], np.zeros(rows, np.int32)),
        _label(
            [f"{at:016x}" for at in range(devices)], np.repeat(np.arange(devices), rows // devices)
        ),
        pa.array(np.tile(seqs.ravel(), devices)),
        pa.array(np.full(rows, first_us + span_us)).view(pa.timestamp("us", "UTC")),
        _label(["synced"], np.zeros(rows, np.int32)),
    ]
    return pa.Table.from_arrays(columns, schema=READINGS_SCHEMA)


def register(folder: Path, number: int, table: IcebergReadings, rows: pa.Table) -> None:
    """Put a landing's files and commit them, as lander and registrar do."""
    store = open_store(Lake(uri=str(folder)))
    uris = []
    for file in encode_days(rows):
        path = data_path(SITE, JOURNAL, number, number, file.day)
        store.put(path, file.data)
        uris.append(store.uri(path))
    table.watermarks()
    table.add(uris, {watermark_key(SITE, JOURNAL): number})


def start_of(number: int, landings: int) -> int:
    """When the n-th of a day's landings begins."""
    return START_US + number * (DAY_US // landings)


def _label(labels: list[str], codes: np.ndarray) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(labels))
