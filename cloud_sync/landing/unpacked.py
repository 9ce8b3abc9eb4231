"""How many journal rows are one landing, by what their payloads unpack to: pure.

The bound on bytes of the journal says little of memory: 8 KiB of a compressed batch may be 64 MiB of texts, and
forty such batches are more than Arrow's texts can be in one piece.
"""

from __future__ import annotations

from collections.abc import Sequence

import zstandard

from headrace.codecs.arrow import ZSTD_MAGIC
from headrace.journal import JournalRow
from headrace.limits.wire import MAX_DECODED_BYTES


def within(rows: Sequence[JournalRow], max_bytes: int) -> list[JournalRow]:
    """The first rows that unpack to no more than that; one at least."""
    total = 0
    for at, row in enumerate(rows):
        total += unpacked_bytes(row.payload)
        if at and total > max_bytes:
            return list(rows[:at])
    return list(rows)


def unpacked_bytes(payload: bytes) -> int:
    """What a payload says that it unpacks to; a codec takes no more than that."""
    if payload[:4] != ZSTD_MAGIC:
        return len(payload)
    try:
        size: int = zstandard.frame_content_size(payload)
    except zstandard.ZstdError:  # damaged: it is found when it is decoded
        return len(payload)
    return MAX_DECODED_BYTES if size < 0 else size
