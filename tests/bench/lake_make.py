"""A lake of any size: ``python -m tests.bench.lake_make --readings 1e9 DIR``.

Thirty days of 1,000 devices with ten series each, every series at the same pace; the readings asked for
decide how fast. Columns are made with numpy; what follows is the product's own: files written by the
compaction's writer with its target size and the encodings of landed files, added to the Iceberg table
in commits of a day. So it is a lake as maintenance leaves it, without the years of landing before.
About 3.1 bytes and 0.35 us of CPU a reading: 3.2 GB and six minutes of one core for 1e9.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import pyarrow as pa
from pyiceberg.io import load_file_io

from cloud_sync.catalog.keeper import SeriesKeeper
from cloud_sync.config import for_data
from cloud_sync.lake.table import IcebergReadings
from cloud_sync.maintain.writer import row_groups, write
from headrace.clock import ManualClock
from headrace.codecs.columns import TIME_TYPE
from headrace.lake import latest
from headrace.lake.config import Lake
from headrace.lake.opening import open_store
from headrace.lake.readings import READINGS_SCHEMA
from headrace.landing import watermark_key
from headrace.limits.lake import PARQUET_LANDING_LEVEL
from headrace.limits.maintain import TARGET_BYTES

DAYS = 30
DEVICES = 1_000
NAMES = (
    "current", "flow", "humidity", "level", "pressure", "speed", "temperature/in",
    "temperature/out", "vibration/x", "vibration/y",
)  # fmt: skip
UNITS = ("A", "m3/h", "%RH", "m", "bar", "1/min", "Cel", "Cel", "m/s2", "m/s2")
SERIES = DEVICES * len(NAMES)
DAY_US = 86_400_000_000
FIRST_US = 1_777_593_600_000_000  # 2026-05-01
SITE, JOURNAL = "bench", "be" * 8

#: Devices that are in memory at a time.
BLOCK = 20


@dataclass(frozen=True, slots=True)
class Made:
    """What is there now."""

    readings: int
    files: int
    bytes: int
    cpu_s: float


def device(number: int) -> str:
    return f"pump-{number:04d}"


def make(
    folder: Path,
    readings: int,
    *,
    days: int = DAYS,
    devices: int = DEVICES,
    is_kept: bool = True,
) -> Made:
    """Fill a data folder's lake; ``readings`` is rounded to whole series and days.

    Args:
        is_kept: with what a registrar keeps beside the table: newest readings, and the table of series.
    """
    series = devices * len(NAMES)
    lake = Lake(uri=str(folder / "lake"))
    table, store = IcebergReadings(lake), open_store(lake)
    each = max(1, readings // (series * days))
    key, files, size, started = watermark_key(SITE, JOURNAL), 0, 0, time.process_time()
    newest: list[pa.Table] = []
    for day in range(days):
        uris = _write_day(lake, day, each, devices, newest if day == days - 1 else [])
        table.watermarks()
        table.add(uris, {key: day + 1})
        files += len(uris)
        size += sum(Path(uri.removeprefix("file://")).stat().st_size for uri in uris)
        click.echo(f"\rday {day + 1} of {days}", nl=day == days - 1, err=True)
    if is_kept:
        latest.save(store, latest.State({key: days}, latest.merge(newest)))
        SeriesKeeper(for_data(folder), ManualClock()).step()
    return Made(each * series * days, files, size, time.process_time() - started)


def _write_day(lake: Lake, day: int, each: int, devices: int, newest: list[pa.Table]) -> list[str]:
    """One day's files; the last readings of its series go into ``newest``."""
    place = f"file://{lake.folder}/warehouse/headrace/readings/data/day={day:02d}"
    written = write(
        load_file_io({}, place),
        row_groups(_noting(_blocks(day, each, devices), newest)),
        name=lambda number: f"{place}/{number:03d}.parquet",
        target_bytes=TARGET_BYTES,
        level=PARQUET_LANDING_LEVEL,
    )
    return list(dict.fromkeys(uri for uri, _ in written))


def _noting(blocks: Iterator[pa.Table], newest: list[pa.Table]) -> Iterator[pa.Table]:
    for block in blocks:
        newest.append(latest.newest(block))
        yield block


def _blocks(day: int, each: int, devices: int) -> Iterator[pa.Table]:
    """The day in the table's order: device, name, time."""
    random = np.random.default_rng(day)
    for first in range(0, devices, BLOCK):
        yield _block(random, day, each, first)


def _block(random: np.random.Generator, day: int, each: int, first: int) -> pa.Table:
    names, rows = len(NAMES), BLOCK * len(NAMES) * each
    series = np.repeat(np.arange(BLOCK * names, dtype=np.int32), each)
    jitter = random.integers(0, 2_000, rows)
    times = FIRST_US + day * DAY_US + np.tile(np.arange(each) * (DAY_US // each), BLOCK * names)
    values = np.round(20 + 5 * np.sin(times / DAY_US) + random.normal(0, 0.4, rows), 1)
    return pa.Table.from_arrays(
        [
            _labels(np.zeros(rows, np.int32), [SITE]),
            _labels(series // names, [device(first + place) for place in range(BLOCK)]),
            _labels(series % names, list(NAMES)),
            _times(times + jitter),
            pa.array(values),
            pa.nulls(rows, pa.utf8()),
            _labels(series % names, list(UNITS)),
            _labels(series // names, [f"{first + place:016x}" for place in range(BLOCK)]),
            # A device numbers its readings as it takes them: all names of a moment side by side.
            pa.array(np.tile(np.arange(each) * names, BLOCK * names) + series % names + day * each * names + 1),
            _times(times + jitter + 250_000),
            _labels(np.zeros(rows, np.int32), ["synced"]),
        ],
        schema=READINGS_SCHEMA,
    )  # fmt: skip


def _labels(codes: np.ndarray, labels: list[str]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(labels, pa.utf8()))


def _times(times: np.ndarray) -> pa.Array:
    return pa.array(times).view(TIME_TYPE)


@click.command()
@click.option("--readings", default="1e7", show_default=True, help="As a number: 1e9.")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def main(readings: str, folder: Path) -> None:
    """Make a lake in FOLDER, to be asked with headrace query --data FOLDER."""
    made = make(folder, round(float(readings)))
    click.echo(
        f"{made.readings:,} readings of {SERIES:,} series in {made.files} files, "
        f"{made.bytes / 1e6:,.0f} MB ({made.bytes / made.readings:.2f} B each), {made.cpu_s:.0f} s of CPU"
    )


if __name__ == "__main__":
    main()
