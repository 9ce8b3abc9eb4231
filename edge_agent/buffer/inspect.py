"""Looks into a buffer file from outside: what ``edge-agent buffer`` prints.

Imports sqlite_utils (32 MB, half a second), which is why only those commands import this module. It
reads files that the agent would refuse too, such as one that was moved aside as damaged.
"""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import IO, Any

import nanoarrow as na
import sqlite_utils
import zstandard

from headrace.buffer_log import LoggedBatch
from headrace.buffer_stats import opened
from headrace.errors import StorageCorrupt, UsageError
from headrace.limits.wire import MAX_DECODED_BYTES
from headrace.sqlite import storage_errors

_log = logging.getLogger(__name__)

COLUMNS = ("seq", "name", "time", "value", "text")


@contextmanager
def _looking(path: Path) -> Iterator[tuple[sqlite_utils.Database, list[LoggedBatch]]]:
    """The tables, and what the log adds; a log that does not fit is left out, and said."""
    if not path.is_file():
        raise UsageError(f"no buffer at {path}", hint="name the agent's buffer.path")
    try:
        with opened(path) as (db, tail):
            yield sqlite_utils.Database(db, use_old_upsert=False), list(tail.batches.values())
    except StorageCorrupt as error:
        _log.warning("%s; showing the tables alone", error)
        with storage_errors("buffer", path):
            yield sqlite_utils.Database(str(path), use_old_upsert=False), []


def batches(path: Path, *, limit: int) -> list[dict[str, Any]]:
    """The oldest batches: their numbers, sizes and when they were sealed."""
    with _looking(path) as (database, logged):
        found = list(
            database["batches"].rows_where(
                select="first_seq, last_seq, rows, sealed_at, clock, length(payload) AS bytes",
                order_by="first_seq",
                limit=limit,
            )
        )
    found += [
        {"first_seq": batch.first_seq, "last_seq": batch.last_seq, "rows": batch.rows,
         "sealed_at": batch.sealed_at, "clock": batch.clock, "bytes": len(batch.stream)}
        for batch in logged
    ]  # fmt: skip
    return found[:limit]


def readings(path: Path) -> Iterator[tuple[Any, ...]]:
    """Every reading of the file in the order of its numbers, as ``COLUMNS``; times in microseconds."""
    with _looking(path) as (database, logged):
        for row in database["batches"].rows_where(
            select="first_seq, payload", order_by="first_seq"
        ):
            yield from _decode(row["first_seq"], _unpacked(row["payload"]))
        for batch in logged:
            yield from _decode(batch.first_seq, batch.stream)


def _unpacked(payload: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompress(payload, max_output_size=MAX_DECODED_BYTES)


def _decode(first_seq: int, stream: bytes) -> Iterator[tuple[Any, ...]]:
    seqs = count(first_seq)
    for batch in na.ArrayStream.from_readable(stream):
        names, times, values, *texts = (batch.child(i) for i in range(batch.n_children))
        micros = na.Array(_as_integers(times), na.int64())
        text_cells = texts[0].iter_py() if texts else iter(lambda: None, 0)
        yield from zip(
            seqs, names.iter_py(), micros.iter_py(), values.iter_py(), text_cells, strict=False
        )


def _as_integers(times: na.Array) -> memoryview:
    return memoryview(times.buffer(1))


def export(path: Path, out: IO[str], *, form: str) -> int:
    """Write all readings as CSV with a header line, or as JSON lines; returns how many."""
    rows = readings(path)
    if form == "csv":
        writer = csv.writer(out)
        writer.writerow(COLUMNS)
        return sum(1 for row in rows if writer.writerow(row))
    return sum(
        1 for row in rows if out.write(json.dumps(dict(zip(COLUMNS, row, strict=True))) + "\n")
    )
