"""New rows for the files of a small table, in one commit with properties.

As a compaction does it (``cloud_sync.maintain``): what goes and where the new file lies is written down first, so
that whatever a kill leaves behind is found by name and swept; the commit requires that the old files are still there.
The file is named as dense, and maintenance leaves it as it is.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence

import pyarrow as pa
from pyiceberg.table import Table

from cloud_sync.maintain import records
from cloud_sync.maintain.compaction import address
from cloud_sync.maintain.iceberg import LostRaceError, Marks, replace
from cloud_sync.maintain.records import Record
from cloud_sync.maintain.runs import File, job_name
from cloud_sync.maintain.writer import arrow_schema, write
from headrace.clock import Clock
from headrace.errors import LakeUnavailable
from headrace.lake.store import Store
from headrace.limits.lake import PARQUET_LANDING_LEVEL
from headrace.limits.maintain import TARGET_BYTES


def rewrite(
    store: Store, clock: Clock, table: Table, gone: Sequence[File], rows: pa.Table, *,
    why: str, partition: str = "", properties: Mapping[str, str] | None = None,
) -> None:  # fmt: skip
    """Put ``rows`` in the place of the files ``gone``; properties must be as they were when the table was read.

    Raises:
        LakeUnavailable: it did not happen, or nobody knows; read the table back.
    """
    come = _write(table, _begin(store, clock, table, gone, partition), rows)
    marks = None
    if properties:
        marks = Marks({key: table.properties.get(key) for key in properties}, properties)
    try:
        replace(table, gone, come, why=why, marks=marks)
    except LostRaceError as error:
        raise LakeUnavailable(
            f"table {'.'.join(table.name())}: another process has rewritten it at the same time"
        ) from error


def _begin(
    store: Store, clock: Clock, table: Table, gone: Sequence[File], partition: str
) -> Record:
    job = job_name(clock.now_us(), secrets.token_hex(4))
    place = table.location_provider().new_data_location(f"{partition}/x" if partition else "x")
    record = Record(
        job, table.name()[-1], str(table.metadata.table_uuid), partition,
        tuple(file.uri for file in gone), place.rpartition("/")[0], is_dense=True,
    )  # fmt: skip
    records.put(store, record)
    return record


def _write(table: Table, record: Record, rows: pa.Table) -> list[str]:
    if not rows.num_rows:
        return []
    group = rows.cast(arrow_schema(table.schema())).combine_chunks()
    written = write(
        table.io, [group], name=lambda number: address(record, number),
        target_bytes=TARGET_BYTES, level=PARQUET_LANDING_LEVEL,
    )  # fmt: skip
    return list(dict.fromkeys(uri for uri, _ in written))
