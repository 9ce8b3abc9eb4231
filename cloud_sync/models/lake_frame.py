"""Readings of the lake to one matrix of features, and the lineage that finds them again.

Only what is registered counts, at one snapshot of the table: the same snapshot, statement and range
give the same rows later, which files that merely landed do not promise. Readings of one device within
the same ``align_s`` seconds make one row, as they do in a gateway; a row needs all features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cloud_sync.models.frame import Frame
from headrace.derived import is_derived
from headrace.errors import QueryError, UsageError
from headrace.lake.catalogue import (
    NAMESPACE,
    catalogue_errors,
    exists,
    load_readings,
    open_catalogue,
)
from headrace.lake.config import Lake
from headrace.lake.readings import READINGS_SCHEMA
from headrace.limits.models import TRAIN_MAX_READINGS
from headrace.models.manifest import Lineage
from headrace.query.engine import Engine
from headrace.query.sources import File, Sources

EVERYTHING: Final = "SELECT * FROM readings"

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which readings: a statement that gives rows of the view ``readings``, and what narrows it down.

    ``features`` empty: every numeric series that all of the devices have.
    """

    sql: str = EVERYTHING
    first: datetime | None = None
    last: datetime | None = None
    devices: Sequence[str] = ()
    features: Sequence[str] = ()
    align_s: float = 1.0
    snapshot: int | None = None


@dataclass(frozen=True, slots=True)
class LakeFrame:
    """Features by device, their units, and where they come from."""

    frame: Frame
    units: dict[str, str]
    lineage: Lineage


def read_lake(lake: Lake, wanted: Wanted, *, seed: int, trained_on: str = "") -> LakeFrame:
    """Read and arrange.

    Raises:
        UsageError: nothing fits, or the features are not those of every device.
        QueryError: the statement is wrong.
        LakeError: the lake does not answer.
    """
    snapshot, sources = _registered(lake, wanted.snapshot)
    statement = _statement(wanted)
    with Engine(sources, lake) as engine:
        table = _read(engine, statement)
    if table.num_rows == 0:
        raise UsageError(
            "no reading fits", hint="`headrace query` with the same statement shows what there is"
        )
    names = _features(table, wanted.features)
    frame = Frame(names, _matrices(table, names, round(wanted.align_s * 1_000_000)))
    times = table["time"].cast(pa.int64()).to_numpy()
    lineage = Lineage(
        seed=seed,
        table=f"{NAMESPACE}.readings",
        snapshot=snapshot,
        sql=statement,
        first=_iso(times.min()),
        last=_iso(times.max()),
        trained_on=trained_on or f"readings of {len(frame.files)} devices",
    )
    return LakeFrame(frame, _units(table, names), lineage)


def _registered(lake: Lake, wanted: int | None) -> tuple[int, Sources]:
    """The files of one snapshot: the wanted one, or the newest."""
    table = load_readings(open_catalogue(lake)) if exists(lake) else None
    newest = table.current_snapshot() if table is not None else None
    if table is None or newest is None:
        raise UsageError(f"{lake.uri}: no readings are registered yet", hint="cloud-sync once")
    snapshot = int(wanted if wanted is not None else newest.snapshot_id)
    if table.snapshot_by_id(snapshot) is None:
        raise UsageError(
            f"{lake.uri}: no snapshot {snapshot}; it may have expired",
            hint="leave --snapshot away to train on the newest",
        )
    with catalogue_errors("plan the scan"):
        tasks = list(table.scan(snapshot_id=snapshot).plan_files())
    if any(task.delete_files for task in tasks):
        raise QueryError("the table has delete files, which training does not read")
    files = tuple(File(task.file.file_path, "registered") for task in tasks)
    return snapshot, Sources(files, READINGS_SCHEMA.empty_table())


def _statement(wanted: Wanted) -> str:
    terms = ["isfinite(value)"]
    if wanted.devices:
        terms.append(
            "(" + " OR ".join(f"device GLOB {_text(each)}" for each in wanted.devices) + ")"
        )
    if wanted.features:
        terms.append(f"name IN ({', '.join(_text(each) for each in wanted.features)})")
    if wanted.first is not None:
        terms.append(f"time >= TIMESTAMPTZ {_text(wanted.first.isoformat())}")
    if wanted.last is not None:
        terms.append(f"time < TIMESTAMPTZ {_text(wanted.last.isoformat())}")
    inner = wanted.sql.strip().rstrip(";")
    # The user's own statement, on his own lake, through an engine that only reads.
    return (
        f"SELECT device, name, time, value, unit FROM ({inner}) AS chosen "  # noqa: S608
        f"WHERE {' AND '.join(terms)} ORDER BY device, time"
    )


def _read(engine: Engine, statement: str) -> pa.Table:
    batches: list[Any] = []
    reader = engine.query(statement)
    rows = 0
    for batch in reader:
        rows += batch.num_rows
        if rows > TRAIN_MAX_READINGS:
            raise UsageError(
                f"more than {TRAIN_MAX_READINGS} readings fit, which is more than fits into memory",
                hint="narrow it down with --from, --to, --devices or --sql",
            )
        batches.append(batch)
    return pa.Table.from_batches(batches, reader.schema)


def _features(table: pa.Table, wanted: Sequence[str]) -> tuple[str, ...]:
    pairs = table.group_by(["device", "name"]).aggregate([]).to_pydict()
    by_device: dict[str, set[str]] = {}
    for device, name in zip(pairs["device"], pairs["name"], strict=True):
        by_device.setdefault(device, set()).add(name)
    common = set.intersection(*by_device.values())
    missing = [name for name in wanted if name not in common]
    if missing:
        raise UsageError(
            f"not every device has {', '.join(missing)}", hint="choose devices with --devices"
        )
    found = tuple(wanted) or tuple(sorted(name for name in common if not is_derived(name)))
    if not found:
        few = ", ".join(sorted(by_device)[:10])
        raise UsageError(
            f"the devices have no series in common: {few}",
            hint="choose devices that are alike with --devices, or series with --feature",
        )
    return found


def _matrices(table: pa.Table, names: tuple[str, ...], align_us: int) -> tuple[Any, ...]:
    """One matrix a device, rows in order of time; a later reading of the same row replaces."""
    columns = {name: at for at, name in enumerate(names)}
    name = table["name"].combine_chunks().dictionary_encode()
    column = np.array([columns.get(each, -1) for each in name.dictionary.to_pylist()], np.int64)
    feature = column[name.indices.to_numpy()]
    device = table["device"].combine_chunks().dictionary_encode().indices.to_numpy()
    bucket = table["time"].cast(pa.int64()).to_numpy() // align_us
    value = table["value"].to_numpy()
    return tuple(
        _matrix(feature[mine], bucket[mine], value[mine], len(names))
        for mine in (np.equal(device, each) & (feature >= 0) for each in np.unique(device))
    )


def _matrix(feature: Ints, bucket: Ints, value: Any, width: int) -> Any:
    buckets, row = np.unique(bucket, return_inverse=True)
    matrix = np.full((len(buckets), width), np.nan)
    matrix[row, feature] = value
    return matrix[np.isfinite(matrix).all(axis=1)]


def _units(table: pa.Table, names: tuple[str, ...]) -> dict[str, str]:
    newest = table.group_by("name").aggregate([("unit", "max")]).to_pydict()
    units = dict(zip(newest["name"], newest["unit_max"], strict=True))
    return {name: units.get(name) or "" for name in names}


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _iso(time_us: int) -> str:
    return datetime.fromtimestamp(int(time_us) / 1e6, UTC).isoformat()
