"""Readings that devices sent to two journals of a site: in the raw zone as often as they arrived.

A gateway that loses its disk makes a new journal, and devices send again what they were not told of. The lake has
such a reading once, as it arrived first (``cloud_sync/lake/once.py``); so has a replay. Within one journal nothing is
there twice, so this is asked only of sites that have several.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headrace.journal import JournalRow
from headrace.ranges import Range, RangeSet


@dataclass(frozen=True, slots=True)
class Repeat:
    """Readings of a batch that another journal has brought."""

    device: str
    stream: str
    ranges: tuple[Range, ...]


class Brought:
    """What a site's streams have brought so far."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str, str], RangeSet] = {}

    def see(self, site: str, rows: Sequence[JournalRow]) -> list[Repeat]:
        """Remember batches; what of them was there before."""
        found = []
        for row in rows:
            seen = self._seen.setdefault((site, row.device, row.stream), RangeSet())
            new = RangeSet(seen.missing(row.first_seq, row.last_seq))
            if new.count < row.rows:
                found.append(Repeat(row.device, row.stream, tuple(new.missing(row.first_seq, row.last_seq))))  # fmt: skip
            seen.add(row.first_seq, row.last_seq)
        return found


def without(table: pa.Table, repeats: Sequence[Repeat]) -> pa.Table:
    """The readings that were not there before."""
    if not repeats:
        return table
    seqs = table.column("seq").to_numpy()
    drop = np.zeros(len(seqs), np.bool_)
    streams = {(each.device, each.stream) for each in repeats}
    for device, stream in streams:
        own = pc.and_(pc.equal(table.column("device"), device), pc.equal(table.column("stream"), stream))  # fmt: skip
        places = np.flatnonzero(own.to_numpy())
        ranges = RangeSet(each for repeat in repeats if (repeat.device, repeat.stream) == (device, stream) for each in repeat.ranges)  # fmt: skip
        for first, last in ranges:
            drop[places[(seqs[places] >= first) & (seqs[places] <= last)]] = True
    return table.filter(pa.array(~drop))
