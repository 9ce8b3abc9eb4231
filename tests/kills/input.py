"""A journal that grows at random, and a copy of all that went into it."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa

from cloud_sync.landing.parquet import DAY_US
from headrace.journal import JournalReader
from tests.journals import START_US, STREAM, Journal, readings

COLUMNS = ("device", "stream", "seq", "name", "time", "value")


class Input:
    """Batches of three devices over three days; now and then the gateway forgets what has landed."""

    def __init__(self, path: Path, rng: random.Random) -> None:
        self.journal = Journal(path)
        self._rng = rng
        self._tables: list[pa.Table] = []

    def grow(self) -> None:
        """A few batches more."""
        for _ in range(self._rng.randint(1, 4)):
            device = f"pump-{self._rng.randrange(3)}"
            start = START_US + self._rng.randrange(3) * DAY_US + self._rng.randrange(10**9)
            rows = readings(
                self._rng.randint(1, 200), start_us=start, seed=self._rng.randrange(10**6)
            )
            first = self.journal.seqs.get((device, STREAM), 0) + 1
            self.journal.append(device, rows)
            self._tables.append(_copy(device, first, rows))

    def forget(self) -> None:
        """What the cursor of the lake has passed; a damaged landing could not be made again."""
        with JournalReader(self.journal.path) as reader:
            self.journal.prune(reader.cursor("lake"))

    def table(self) -> pa.Table:
        """All that was ever appended."""
        return pa.concat_tables(self._tables)

    def close(self) -> None:
        self.journal.close()


def _copy(device: str, first: int, rows: pa.RecordBatch) -> pa.Table:
    count = rows.num_rows
    return pa.table(
        {
            "device": [device] * count,
            "stream": [STREAM] * count,
            "seq": list(range(first, first + count)),
            "name": rows.column(0).cast(pa.utf8()),
            "time": rows.column(1),
            "value": rows.column(2),
        }
    )
