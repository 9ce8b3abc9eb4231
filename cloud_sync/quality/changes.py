"""Which devices of which days have new readings since the last round: from what landed since.

Manifests say of which days a landing is, its files of which devices. Iceberg's own metadata would say it too, but forgets it:
compaction puts an hour's landings into one file of all devices, and of snapshots an hour is kept. A landing whose
files are gone already is not looked for in the table: then whole days are judged.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cloud_sync.quality.days import Changed
from headrace.errors import LakeError, LakeUnavailable
from headrace.lake.config import Lake
from headrace.lake.covered import registered_behind
from headrace.lake.manifests import read_manifest
from headrace.lake.opening import arrow_filesystem, arrow_path
from headrace.lake.store import Store
from headrace.limits.quality import QUALITY_MAX_MANIFESTS

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Day:
    readings: int
    devices: set[str]


def changes(
    lake: Lake, store: Store, covered: Mapping[str, int], marks: Mapping[str, int]
) -> dict[date, Changed]:
    """What was registered behind these offsets, by day; nothing where it cannot be told.

    Raises:
        LakeUnavailable: the store is away.
    """
    names = registered_behind(store, covered, marks) if covered else []
    if len(names) > QUALITY_MAX_MANIFESTS:
        return {}
    found: dict[date, _Day] = {}
    files = arrow_filesystem(lake)
    for name in names:
        try:
            for file in read_manifest(store, name).files:
                day = found.setdefault(date.fromisoformat(file.day), _Day(0, set()))
                day.readings += file.rows
                day.devices |= _devices(files, arrow_path(store.uri(file.path)))
        except LakeUnavailable:
            raise
        except (FileNotFoundError, LakeError, pa.ArrowException) as error:
            log.info("whole days are judged: a landing cannot be read any more: %s", error)
            return {}
        except OSError as error:
            raise LakeUnavailable(f"a landed file cannot be read: {error}") from error
    return {day: Changed(each.readings, frozenset(each.devices)) for day, each in found.items()}


def _devices(files: Any, path: str) -> set[str]:
    found: set[str] = set()
    with files.open_input_file(path) as source:
        file = pq.ParquetFile(source, read_dictionary=["device"])
        for batch in file.iter_batches(columns=["device"]):
            found.update(batch.column(0).unique().to_pylist())
    return found
