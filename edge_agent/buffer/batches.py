"""A sealed batch as the buffer keeps it, and as a record of the log holds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import zstandard

from edge_agent.encode import compress
from headrace.buffer_log import LoggedBatch
from headrace.errors import StorageCorrupt
from headrace.limits.wire import MAX_DECODED_BYTES


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """One row of ``batches``."""

    first_seq: int
    last_seq: int
    rows: int
    sealed_at: int
    boot: str
    clock: str
    units: str
    has_text: bool
    payload: bytes


@dataclass(frozen=True, slots=True)
class Counts:
    """The persistent counters, in readings: sampled = acknowledged + buffered + dropped."""

    sampled: int
    acknowledged: int
    dropped: Mapping[str, int]

    @property
    def buffered(self) -> int:
        return self.sampled - self.acknowledged - sum(self.dropped.values())


def arrow_stream(batch: StoredBatch) -> bytes:
    """The payload out of its zstd frame.

    Raises:
        StorageCorrupt: it is not what was encoded.
    """
    try:
        return zstandard.ZstdDecompressor().decompress(
            batch.payload, max_output_size=MAX_DECODED_BYTES
        )
    except zstandard.ZstdError as error:
        raise StorageCorrupt(f"batch {batch.first_seq}-{batch.last_seq}: {error}") from error


def units_of(batch: StoredBatch) -> dict[str, str]:
    """Series name to unit, where one is known."""
    return msgspec.json.decode(batch.units, type=dict[str, str])


def contradict(units: Mapping[str, str], theirs: Mapping[str, str]) -> bool:
    """Whether a series has another unit there: a batch has one for each."""
    return any(units.get(name, unit) != unit for name, unit in theirs.items())


def to_logged(batch: StoredBatch) -> LoggedBatch:
    """Without the zstd frame: the log compresses better with what came before."""
    return LoggedBatch(
        batch.first_seq, batch.rows, batch.sealed_at, batch.boot, batch.clock, batch.units,
        batch.has_text, arrow_stream(batch),
    )  # fmt: skip


def from_logged(logged: LoggedBatch) -> StoredBatch:
    """The batch as it was appended."""
    return StoredBatch(
        logged.first_seq, logged.last_seq, logged.rows, logged.sealed_at, logged.boot,
        logged.clock, logged.units, logged.has_text, compress(logged.stream),
    )  # fmt: skip
