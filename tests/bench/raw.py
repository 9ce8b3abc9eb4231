"""What the raw zone and imports cost: bytes and CPU seconds, no clocks of walls. ``python -m tests.bench.raw``."""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from cloud_sync.config import Raw
from cloud_sync.raw.keeper import Keeper
from cloud_sync.raw.replay import Replay
from cloud_sync.raw.table import Asked, ReplayTable
from headrace.lake.store import LocalStore
from headrace.metrics import Metrics
from tests.imports import configured
from tests.imports import run as run_import
from tests.journals import Journal, readings
from tests.lakes import pipeline, settings

SECOND_US = 1_000_000


def cpu(work: Callable[[], object]) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before


def size(folder: Path) -> int:
    return sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())


def raw(folder: Path, batch_rows: int, count: int) -> None:
    """One device with 24 series at 1 Hz, in batches of ``batch_rows``."""
    journal = Journal(folder / "gateway" / "journal.db")
    for at in range(count // batch_rows):
        start = 1_750_000_000_000_000 + at * batch_rows // 24 * SECOND_US
        journal.append("rig-1", readings(batch_rows, series=24, start_us=start, step_us=SECOND_US, seed=at))  # fmt: skip
    journal.close()
    config = replace(settings(folder), raw=Raw(days=36_000))
    store = LocalStore(config.lake.folder)
    keep = cpu(Keeper(config, store, Metrics("cloud_sync")).keep)
    path = pipeline(config)
    land = cpu(path.land)
    path.register()
    asked = Asked(0, 2**52)
    again = cpu(Replay(store, ReplayTable(config.lake, "again", asked), asked).run)
    kept, landed = size(config.lake.folder / "raw"), size(config.lake.folder / "landing")
    print(
        f"raw, batches of {batch_rows:>6}: {kept / count:.2f} B/reading raw, {landed / count:.2f} landed; "
        f"CPU per million readings: keep {keep / count * 1e6:.2f} s, land {land / count * 1e6:.2f} s, "
        f"replay {again / count * 1e6:.2f} s"
    )


def imported(folder: Path, name: str, count: int, mapping: str) -> None:
    """What is in ``<name>.csv``, through the spool into the table."""
    path = folder / f"{name}.csv"
    table = f'[[imports]]\nplugin = "files"\njob = "{name}"\nsite = "s"\npath = "{path}"\n[imports.mapping]\n{mapping}'
    configured(folder, table)
    spent = cpu(lambda: run_import(folder, table))
    print(
        f"import of {name}.csv: {count} readings, {path.stat().st_size / count:.1f} B each in the file; "
        f"CPU {spent / count * 1e6:.2f} s per million, landed and registered; "
        f"spool afterwards {size(folder / 'imports' / name) / 1e6:.1f} MB"
    )


def wide(folder: Path, count: int) -> None:
    """One device, 8 series."""
    values = np.round(np.random.default_rng(0).normal(20, 3, (count // 8, 8)), 2)
    with (folder / "wide.csv").open("w") as file:
        file.write("time," + ",".join(f"s{at}" for at in range(8)) + "\n")
        for at, row in enumerate(values.tolist()):
            file.write(f"{1_750_000_000 + at}," + ",".join(map(str, row)) + "\n")
    imported(folder, "wide", count, 'device = "rig"\ntime_format = "unix_s"\n')


def long(folder: Path, count: int) -> None:
    """A thousand devices that take turns: the worst that a chunk can be cut into."""
    with (folder / "long.csv").open("w") as file:
        file.write("time,device,name,value\n")
        for at in range(count):
            file.write(
                f"2024-01-01 {at // 3600 % 24:02d}:{at // 60 % 60:02d}:{at % 60:02d},d-{at % 1000},temp,{at % 100 / 10}\n"
            )
    imported(folder, "long", count, 'device_column = "device"\nname_column = "name"\n')


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        for rows, count in ((10_000, 2_400_000), (1_200, 1_200_000), (120, 240_000)):
            raw(Path(name) / str(rows), rows, count)
        wide(Path(name), 4_000_000)
        long(Path(name), 1_000_000)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of all: {peak:.0f} MB")


if __name__ == "__main__":
    main()
