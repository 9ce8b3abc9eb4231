"""The feed: committed batches, decoded once, for everyone behind the journal.

A ring of the newest batches in memory serves consumers that keep up; one that is further behind than
the ring reaches is served from the journal file, by the same call. So a slow or dead consumer costs
no memory, and nobody needs a queue of his own.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
import pyarrow as pa

from headrace import codecs
from headrace.codecs import BATCH_SCHEMA, Decoded
from headrace.codecs.columns import memory_of
from headrace.decodable import with_damage
from headrace.errors import PayloadError
from headrace.journal import JournalReader, JournalRow, describe_damage
from headrace.limits.consumers import FEED_MAX_BATCHES, FEED_MAX_BYTES, FEED_MAX_ROWS
from headrace.limits.ingest import COMMIT_MAX_BYTES, GROUP_MAX_DECODED_BYTES

logger = logging.getLogger(__name__)

_NOTHING: Final = pa.RecordBatch.from_pylist([], schema=BATCH_SCHEMA)


class Entry(msgspec.Struct, frozen=True):
    """One committed batch.

    ``rows`` has ``headrace.codecs.BATCH_SCHEMA`` and holds the readings ``first_seq``,
    ``first_seq + 1``, … of (device, stream); ``received_at`` is in microseconds since 1970 UTC. ``size``:
    about what the rows take in memory. ``widened``: series with integers that have no float64 of their own.
    """

    offset: int
    received_at: int
    device: str
    stream: str
    first_seq: int
    rows: pa.RecordBatch
    units: Mapping[str, str] = {}
    clock: str = ""
    size: int = 0
    widened: Collection[str] = ()


def from_rows(rows: Sequence[JournalRow], max_bytes: int = GROUP_MAX_DECODED_BYTES) -> list[Entry]:
    """Decode rows of the journal again, from the first on, at least one of them.

    Not all of them where they decode to more than ``max_bytes``. One that is damaged has no readings; it
    keeps its place, so that everybody's cursor moves past it (``headrace/damage.py``).
    """
    together = codecs.decode_small([(row.format, row.payload, row.received_at) for row in rows])
    entries: list[Entry] = []
    for row, decoded in zip(rows, together, strict=True):
        entries.append(_entry(row, decoded))
        max_bytes -= memory_of(entries[-1].rows)
        if max_bytes < 0:
            break
    return entries


def _entry(row: JournalRow, decoded: Decoded | None) -> Entry:
    if row.damage:
        return Entry(row.offset, row.received_at, row.device, row.stream, row.first_seq, _NOTHING)
    decoded = decoded or codecs.decode(row.format, row.payload, row.received_at)
    return Entry(
        row.offset, row.received_at, row.device, row.stream, row.first_seq, decoded.rows,
        decoded.units, decoded.clock, widened=tuple(decoded.widened),
    )  # fmt: skip


def _remember(reader: JournalReader, rows: Sequence[JournalRow]) -> None:
    for row in reader.remember_damage(rows):
        logger.error(
            "journal: %s", describe_damage(row),
            extra={"offset": row.offset, "device": row.device, "stream": row.stream},
        )  # fmt: skip


class Feed:
    """Hands committed batches to any number of readers, each behind a position of its own."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._ring: deque[Entry] = deque()
        self._ring_rows = 0
        self._ring_bytes = 0
        self._head = 0
        self._closed = False
        self._changed = threading.Condition()

    @property
    def head(self) -> int:
        """The newest offset that was published."""
        return self._head

    @property
    def oldest_in_memory(self) -> int:
        """The first offset that is read without the journal file."""
        with self._changed:
            return self._ring[0].offset if self._ring else self._head + 1

    def start_at(self, offset: int) -> None:
        """Before the first publish: what the journal holds already."""
        self._head = offset

    def publish(self, entries: Sequence[Entry]) -> None:
        """Hand on batches that have just been committed, in order of their offsets."""
        if not entries:
            return
        with self._changed:
            self._ring.extend(entries)
            self._ring_rows += sum(entry.rows.num_rows for entry in entries)
            self._ring_bytes += sum(entry.size for entry in entries)
            while self._is_over():
                oldest = self._ring.popleft()
                self._ring_rows -= oldest.rows.num_rows
                self._ring_bytes -= oldest.size
            self._head = entries[-1].offset
            self._changed.notify_all()

    def _is_over(self) -> bool:
        return (
            len(self._ring) > FEED_MAX_BATCHES
            or self._ring_rows > FEED_MAX_ROWS
            or self._ring_bytes > FEED_MAX_BYTES
        )

    def read(
        self, after: int, *, up_to: int | None = None, max_rows: int, timeout_s: float
    ) -> list[Entry]:
        """Batches behind ``after`` in order, at least one if there is any; waits up to ``timeout_s``.

        Args:
            up_to: the last offset that is wanted; None for no end.

        Raises:
            StorageError: the journal could not be read.
        """
        with self._changed:
            if self._head <= after and not self._closed:
                self._changed.wait(timeout_s)
            if self._head <= after:
                return []
            if self._ring and self._ring[0].offset <= after + 1:
                return _take(self._ring, after, up_to, max_rows)
        with JournalReader(self._journal) as reader:
            rows = reader.read(after, up_to=up_to, max_rows=max_rows, max_bytes=COMMIT_MAX_BYTES)
            _remember(reader, rows)
            try:
                return from_rows(rows)
            except PayloadError:
                rows = with_damage(rows)
                _remember(reader, rows)
        return from_rows(rows)

    def close(self) -> None:
        """Wake everyone who waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


def _take(ring: deque[Entry], after: int, up_to: int | None, max_rows: int) -> list[Entry]:
    # Offsets in the ring follow each other without holes, so the place is known.
    start = after + 1 - ring[0].offset
    taken: list[Entry] = []
    rows = 0
    end = len(ring) if up_to is None else min(len(ring), start + up_to - after)
    for index in range(start, end):
        rows += ring[index].rows.num_rows
        if taken and rows > max_rows:
            break
        taken.append(ring[index])
    return taken
