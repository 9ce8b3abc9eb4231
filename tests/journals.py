"""Journals for tests: written with the shared format, without a gateway."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from headrace.codecs import arrow
from headrace.codecs.columns import BATCH_SCHEMA, TIME_TYPE
from headrace.journal.rows import checksum
from headrace.journal.schema import create

START_US = 1_750_000_000_000_000
STREAM = "00000000000000aa"


class Journal:
    """A journal and its writer; seqs follow each other per (device, stream)."""

    def __init__(self, path: Path, site: str = "test") -> None:
        self.path = path
        self.db: sqlite3.Connection = create(path)
        self.db.execute("INSERT OR REPLACE INTO meta VALUES ('site', ?)", (site,))
        self.seqs: dict[tuple[str, str], int] = {}

    def append(
        self, device: str, rows: pa.RecordBatch, *, units: Mapping[str, str] | None = None,
        stream: str = STREAM, received_at: int | None = None, clock: str = "synced",
    ) -> int:  # fmt: skip
        """One batch; returns its offset. It arrives when its newest reading was taken, or later."""
        if received_at is None:
            received_at = max(START_US, *rows.column(1).cast(pa.int64()).to_pylist())
        first = self.next_seq(device, stream)
        payload = arrow.encode(rows, stream=stream, first_seq=first, units=units, clock=clock)
        return self.append_payload(
            device, payload, rows.num_rows, stream=stream, received_at=received_at
        )

    def next_seq(self, device: str, stream: str = STREAM) -> int:
        """The first seq of the next batch."""
        return self.seqs.get((device, stream), 0) + 1

    def append_payload(
        self, device: str, payload: bytes, rows: int, *, received_at: int, stream: str = STREAM
    ) -> int:
        """A batch as it came, in the arrow format; returns its offset."""
        first = self.next_seq(device, stream)
        last = self.seqs[device, stream] = first + rows - 1
        cursor = self.db.execute(
            "INSERT INTO batches (received_at, device, stream, first_seq, last_seq, rows, format, "
            "crc, payload) VALUES (?, ?, ?, ?, ?, ?, 'arrow', ?, ?)",
            (
                received_at,
                device,
                stream,
                first,
                last,
                rows,
                checksum(payload),
                payload,
            ),
        )
        return int(cursor.lastrowid or 0)

    def prune(self, up_to: int) -> None:
        """Forget rows, as the gateway does behind its required cursors."""
        self.db.execute("DELETE FROM batches WHERE offset <= ?", (up_to,))

    def close(self) -> None:
        self.db.close()


def readings(
    count: int, *, series: int = 4, start_us: int = START_US, step_us: int = 1_000, seed: int = 0
) -> pa.RecordBatch:
    """``count`` readings of ``series`` series, in order of time, as an agent samples them."""
    places = np.arange(count)
    times = start_us + (places // series) * step_us
    values = np.round(np.random.default_rng(seed).normal(20, 3, count), 2)
    return batch([f"s{place % series}" for place in places], times.tolist(), values.tolist())


def batch(
    names: Sequence[str], times: Sequence[int], values: Sequence[float | None],
    texts: Sequence[str | None] | None = None,
) -> pa.RecordBatch:  # fmt: skip
    """Columns from lists."""
    return pa.RecordBatch.from_arrays(
        [
            pa.array(names, pa.utf8()).dictionary_encode(),
            pa.array(times, pa.int64()).cast(TIME_TYPE),
            pa.array(values, pa.float64()),
            pa.array(texts, pa.utf8()) if texts is not None else pa.nulls(len(names), pa.utf8()),
        ],
        schema=BATCH_SCHEMA,
    )
